"""What the order desk can tell."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from cloudmart.kernel.viewers import customer_id_of, sees_everything
from orders.errors import OrderNotFound, UnknownCustomer
from orders.models import Customer, Order


def find_customer(customer_id: str) -> Customer:
    """Raises UnknownCustomer."""
    try:
        return Customer.objects.get(pk=customer_id)
    except Customer.DoesNotExist:
        raise UnknownCustomer(customer_id=customer_id) from None


def orders_visible_to(viewer: Any) -> QuerySet[Order]:
    """With their items; operators see all, customers their own."""
    orders = Order.objects.prefetch_related("items")
    return orders if sees_everything(viewer) else orders.filter(customer_id=customer_id_of(viewer))


def find_order(order_id: UUID, viewer: Any) -> Order:
    """Raises OrderNotFound, also when it is there but somebody else's."""
    try:
        return orders_visible_to(viewer).get(pk=order_id)
    except Order.DoesNotExist:
        raise OrderNotFound(order_id=str(order_id)) from None
