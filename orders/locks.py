"""The only place that locks orders, customers and discounts."""

from uuid import UUID

from orders.models import Customer, Order
from orders.price_rules import Discount


def lock_order(order_id: UUID) -> Order | None:
    """Returns the locked order, or None if there is none."""
    return Order.objects.select_for_update().filter(pk=order_id).first()


def lock_customer(customer_id: str) -> Customer:
    """Returns the locked customer: only one transaction at a time opens a draft for them, or changes them."""
    return Customer.objects.select_for_update().get(pk=customer_id)


def lock_discount(discount_id: int) -> Discount | None:
    """Returns the locked discount, or None if there is none. No order uses it as a coupon meanwhile."""
    return Discount.objects.select_for_update().filter(pk=discount_id).first()
