"""Guests: customers whom an operator orders for, and who were not customers before. They have no user."""

from cloudmart.database.prepared import Insert
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from orders.models import Customer

INSERT = Insert(Customer)


def new_guest(name: str, email: str = "", address: Address | None = None) -> Customer:
    """Returns a guest with a code of their own, not stored yet."""
    guest = Customer(id=f"guest-{new_id()}", name=name, email=email)
    if address:
        guest.postal_code, guest.address, guest.country = address.postal_code, address.text, address.country
    return guest


def store_guest(guest: Customer) -> None:
    """Inserts the guest, in the caller's transaction."""
    INSERT(guest)
