"""The only place that locks orders."""

from uuid import UUID

from orders.models import Customer, Order


def lock_order(order_id: UUID) -> Order | None:
    """Returns the locked order, or None if there is none."""
    return Order.objects.select_for_update().filter(pk=order_id).first()


def lock_customer(customer_id: str) -> None:
    """Locks the customer, so that only one transaction at a time opens a draft for them."""
    Customer.objects.select_for_update().get(pk=customer_id)
