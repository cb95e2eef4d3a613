"""Commands on orders. Each runs in its caller's transaction."""

from typing import Any

from cloudmart.database.states import move, moved
from cloudmart.kernel.order import Basket, OrderSnapshot
from cloudmart.kernel.text import LONGEST_REASON, storable
from orders.models import Order, OrderItem, Status


def create_order(order: OrderSnapshot) -> None:
    """Inserts the placed order. A second call changes nothing."""
    if not Order.objects.filter(pk=order.order_id).exists():
        record = record_of(order)
        record.save(force_insert=True)
        OrderItem.objects.bulk_create(record.lines)


def record_of(order: OrderSnapshot) -> Order:
    """The row of a placed order and its lines, not saved."""
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
    """The columns of an order that are taken from its snapshot when it is placed."""
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
    """Marks the order as completed. A second call changes nothing. Raises IllegalMove if the order was cancelled."""
    if not moved(Order, [order.order_id], Status.COMPLETED):
        _check_status(order, Status.COMPLETED)


def cancel_order(order: Basket, reason: str) -> None:
    """Marks the order as cancelled. A second call changes nothing, not even the reason."""
    why = storable(reason, LONGEST_REASON)
    if not moved(Order, [order.order_id], Status.CANCELLED, cancel_reason=why):
        _check_status(order, Status.CANCELLED)


def _check_status(order: Basket, status: Status) -> None:
    """Raises IllegalMove unless the order has this status."""
    record = Order.objects.get(pk=order.order_id)
    if record.status != status:
        move(record, status)
