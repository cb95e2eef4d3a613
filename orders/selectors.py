"""Reads of orders and customers."""

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
    """The orders that operators (all) and customers (their own) may see, with items."""
    orders = Order.objects.prefetch_related("items")
    return orders if sees_everything(viewer) else orders.filter(customer_id=customer_id_of(viewer))


def find_order(order_id: UUID, viewer: Any) -> Order:
    """Raises OrderNotFound if there is no such order, or it belongs to another customer."""
    try:
        return orders_visible_to(viewer).get(pk=order_id)
    except Order.DoesNotExist:
        raise OrderNotFound(order_id=str(order_id)) from None
