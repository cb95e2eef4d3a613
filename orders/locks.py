"""The only place that locks orders."""

from uuid import UUID

from orders.models import Customer, Order


def lock_order(order_id: UUID) -> Order | None:
    """The locked row; None when there is none."""
    return Order.objects.select_for_update().filter(pk=order_id).first()


def lock_customer(customer_id: str) -> None:
    """Until the transaction ends, nobody else opens a draft for the customer."""
    Customer.objects.select_for_update().get(pk=customer_id)
