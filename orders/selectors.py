"""Reads of orders, of customers, and of what decides a price."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from cloudmart.database.clock import NOW, READ_AT
from cloudmart.database.prepared import Select
from cloudmart.kernel.viewers import customer_id_of, sees_everything
from orders.errors import CouponNotValid, NoTaxRate, OrderNotFound, UnknownCoupon, UnknownCustomer
from orders.models import Customer, Order, OrderNote
from orders.price_rules import ANY_REGION, Discount, TaxRate
from orders.pricing import Discount as Strategy
from orders.pricing import Tax

DISCOUNTS = Select(lambda code: Discount.objects.filter(Q(code=code) | Q(code=None)).annotate(**READ_AT))
TAX_RATES = Select(lambda region: TaxRate.objects.filter(Q(region=region) | Q(region=ANY_REGION), valid_from__lte=NOW))


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


def notes_of(order_id: UUID) -> QuerySet[OrderNote]:
    """Returns the notes about an order, oldest first."""
    return OrderNote.objects.filter(order=order_id).order_by("pk")


@dataclass(frozen=True, slots=True)
class PriceRules:
    """The discounts and the tax of an order that is placed now, by the database's clock."""

    standing: tuple[Discount, ...]
    coupon: Discount | None
    tax: Tax

    @property
    def discounts(self) -> list[Strategy]:
        """Those that are given. A coupon that cannot be used gives none."""
        rules = (*self.standing, self.coupon) if self.coupon else self.standing
        return [rule.strategy for rule in rules if not rule.refusal]

    def check_coupon(self, copies: Collection[int]) -> None:
        """Raises CouponNotValid unless an order with so many copies of each book may use the coupon."""
        if self.coupon is None:
            return
        if refusal := self.coupon.refusal:
            raise refusal
        if max(copies) < (least := self.coupon.from_quantity):
            raise CouponNotValid(reason="quantity_too_low", coupon=self.coupon.code, from_quantity=least)


def find_price_rules(coupon: str, region: str) -> PriceRules:
    """Returns the rules for an order to this region, with this coupon ("": none).

    Raises UnknownCoupon, and NoTaxRate if no rate is in force for the region, nor for any other.
    """
    found = DISCOUNTS(code=coupon)
    with_code = next((discount for discount in found if discount.code), None)
    if coupon and with_code is None:
        raise UnknownCoupon(coupon=coupon)
    rates = TAX_RATES(region=region)
    if not rates:
        raise NoTaxRate(region=region)
    rate = max(rates, key=lambda rate: (rate.region, rate.valid_from))
    return PriceRules(tuple(discount for discount in found if not discount.code), with_code, rate.tax)


def regions_with_a_rate() -> list[str]:
    """The regions for which operators have entered a tax rate, at any time."""
    return sorted(set(TaxRate.objects.exclude(region=ANY_REGION).values_list("region", flat=True)))
