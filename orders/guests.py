"""Guests: customers whom an operator orders for, and who were not customers before. They have no user."""

from django.conf import settings

from cloudmart.database.prepared import Insert
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from orders.models import Customer

INSERT = Insert(Customer)


def new_guest(name: str, email: str = "", address: Address | None = None) -> Customer:
    """Returns a guest with a code of their own, not stored yet. Without an address they collect their orders."""
    address = address or Address(settings.PICKUP_POSTAL_CODE, settings.PICKUP_ADDRESS)
    return Customer(
        id=f"guest-{new_id()}",
        name=name,
        email=email,
        postal_code=address.postal_code,
        address=address.text,
        country=address.country,
    )


def store_guest(guest: Customer) -> None:
    """Inserts the guest, in the caller's transaction."""
    INSERT(guest)
