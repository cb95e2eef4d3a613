"""Commands on orders. Each runs in its caller's transaction."""

from typing import Any
from uuid import UUID

from cloudmart.database.prepared import Insert
from cloudmart.database.states import move_all
from cloudmart.database.transactions import joining
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.order import Basket, OrderSnapshot, fields_of
from cloudmart.kernel.text import LONGEST_REASON, storable
from orders.coupons import give_back_coupon
from orders.errors import OrderNotFound
from orders.locks import lock_order
from orders.models import LONGEST_NOTE, Order, OrderItem, OrderNote, Status

INSERT = Insert(Order)
INSERT_ITEMS = Insert(OrderItem)


def create_order(order: OrderSnapshot) -> None:
    """Inserts the placed order. A second call changes nothing."""
    record = record_of(order)
    if INSERT.unless_exists(record):
        INSERT_ITEMS(*record.lines)


def record_of(order: OrderSnapshot) -> Order:
    """The row of a placed order and its lines, not saved."""
    ids = {"id": order.order_id, "customer_id": order.customer_id}
    record = Order(**ids, status=Status.PENDING, created_at=order.placed_at, **columns_of(order))
    record.lines = [OrderItem(order_id=order.order_id, **fields_of(line)) for line in order.lines]
    return record


def columns_of(order: OrderSnapshot) -> dict[str, Any]:
    """The columns of an order that are taken from its snapshot when it is placed."""
    return {
        **fields_of(order.totals),
        "region": order.region,
        "coupon": order.coupon,
        "payment_method": order.payment_method,
        "postal_code": order.address.postal_code,
        "address": order.address.text,
        "saga_style": order.saga_style,
    }


def complete_order(order: OrderSnapshot) -> None:
    """Paid, sold and on its way. A second call changes nothing; raises IllegalMove when the order was cancelled."""
    _move_once(order, Status.COMPLETED)


def cancel_order(order: Basket, reason: str) -> None:
    """Nothing is held for it any more. A second call changes nothing, not even the reason."""
    _move_once(order, Status.CANCELLED, cancel_reason=storable(reason, LONGEST_REASON))
    give_back_coupon(order.order_id)


def return_order(order: Basket, reason: str) -> None:
    """Everything of it has come back. A second call changes nothing, not even the reason."""
    _move_once(order, Status.RETURNED, cancel_reason=storable(reason, LONGEST_REASON))


@joining
def add_note(order_id: UUID, author: str, text: str) -> OrderNote:
    """Adds a note to an order or a draft. Raises OrderNotFound."""
    if lock_order(order_id) is None:
        raise OrderNotFound(order_id=str(order_id))
    note = OrderNote.objects.create(order_id=order_id, author=author, text=storable(text, LONGEST_NOTE))
    note.refresh_from_db(fields=["at"])
    return note


def _move_once(order: Basket, status: Status, **changes: str) -> None:
    """Moves the order to `status`, unless it has that status already. Raises IllegalMove."""
    try:
        move_all(Order, [order.order_id], status, **changes)
    except IllegalMove:
        if not Order.objects.filter(pk=order.order_id, status=status).exists():
            raise
