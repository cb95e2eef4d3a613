"""Adding and reading the notes about an order."""

from uuid import UUID

from django.db.models import QuerySet

from cloudmart.database.transactions import joining
from cloudmart.kernel.text import storable
from orders.errors import OrderNotFound
from orders.locks import lock_order
from orders.order_notes import LONGEST_NOTE, OrderNote


@joining
def add_note(order_id: UUID, author: str, text: str) -> OrderNote:
    """Adds a note to an order or a draft. Raises OrderNotFound."""
    if lock_order(order_id) is None:
        raise OrderNotFound(order_id=str(order_id))
    note = OrderNote.objects.create(order_id=order_id, author=author, text=storable(text, LONGEST_NOTE))
    note.refresh_from_db(fields=["at"])
    return note


def notes_of(order_id: UUID) -> QuerySet[OrderNote]:
    """Returns the notes about an order, oldest first."""
    return OrderNote.objects.filter(order=order_id).order_by("pk")
