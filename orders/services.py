"""What the order desk can do to an order."""

from typing import Any

from cloudmart.database.states import move
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.order import Basket, OrderSnapshot
from cloudmart.kernel.text import LONGEST_REASON, storable
from orders.models import Order, OrderItem, Status


def create_order(order: OrderSnapshot) -> None:
    """Write the order down as placed. A second call changes nothing."""
    if not Order.objects.filter(pk=order.order_id).exists():
        record = record_of(order)
        record.save(force_insert=True)
        OrderItem.objects.bulk_create(record.lines)


def record_of(order: OrderSnapshot) -> Order:
    """The order's row and its lines, as they are when it is placed; not saved."""
    record = Order(
        id=order.order_id,
        customer_id=order.customer_id,
        status=Status.PENDING,
        created_at=order.placed_at,
        **columns_of(order),
    )
    record.lines = [
        OrderItem(
            order_id=order.order_id,
            book_id=line.book_id,
            title=line.title,
            unit_price=line.unit_price,
            quantity=line.quantity,
        )
        for line in order.lines
    ]
    return record


def columns_of(order: OrderSnapshot) -> dict[str, Any]:
    """What its row says of how much it costs, and how it is paid, sent and carried out."""
    totals = order.totals
    return {
        "subtotal": totals.subtotal,
        "discount": totals.discount,
        "tax": totals.tax,
        "total": totals.total,
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


def _move_once(order: Basket, status: Status, **changes: str) -> None:
    """Move the order to `status`, unless it has that status already. Raises IllegalMove."""
    try:
        move(Order(pk=order.order_id), status, **changes)
    except IllegalMove:
        if not Order.objects.filter(pk=order.order_id, status=status).exists():
            raise
