"""The only place that locks orders."""

from uuid import UUID

from orders.models import Order


def lock_order(order_id: UUID) -> Order | None:
    """The locked row; None when there is none."""
    return Order.objects.select_for_update().filter(pk=order_id).first()
