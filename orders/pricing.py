"""The price of an order: discounts and tax as pure functions over its lines."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from cloudmart.kernel.money import rounded
from cloudmart.kernel.order import Address, Line, Totals
from orders.errors import RegionDiffers, UnknownCoupon

Discount = Callable[[Sequence[Line]], Decimal]
"""A strategy: returns the discount on these lines, in minor units, not rounded."""


@dataclass(frozen=True, slots=True)
class PercentageCoupon:
    """A percentage off the whole order."""

    percent: int

    def __call__(self, lines: Sequence[Line]) -> Decimal:
        return Decimal(subtotal_of(lines) * self.percent) / 100


@dataclass(frozen=True, slots=True)
class QuantityDiscount:
    """A percentage off each book of which at least `copies` are bought."""

    copies: int
    percent: int

    def __call__(self, lines: Sequence[Line]) -> Decimal:
        return Decimal(subtotal_of(line for line in lines if line.quantity >= self.copies) * self.percent) / 100


@dataclass(frozen=True, slots=True)
class Tax:
    """The sales tax of a region, and its rounding mode."""

    percent: int
    rounding: str


COUPONS: dict[str, Discount] = {"WELCOME10": PercentageCoupon(10), "READER20": PercentageCoupon(20)}
STANDING_DISCOUNTS: tuple[Discount, ...] = (QuantityDiscount(copies=10, percent=5),)

TAXES = {"JP": Tax(10, ROUND_DOWN), "DE": Tax(7, ROUND_HALF_UP)}
EXPORT = Tax(0, ROUND_HALF_UP)
"""Any other region: exports are untaxed."""


def discounts_for(coupon: str) -> tuple[Discount, ...]:
    """The discounts of an order with this coupon ("" for none). Raises UnknownCoupon."""
    if not coupon:
        return STANDING_DISCOUNTS
    if coupon not in COUPONS:
        raise UnknownCoupon(coupon=coupon)
    return (*STANDING_DISCOUNTS, COUPONS[coupon])


def subtotal_of(lines: Iterable[Line]) -> int:
    return sum(line.unit_price * line.quantity for line in lines)


def discount_on(lines: Sequence[Line], discounts: Iterable[Discount]) -> int:
    """The sum of all discounts, rounded once, and at most the subtotal."""
    off = sum((discount(lines) for discount in discounts), Decimal(0))
    return min(rounded(off), subtotal_of(lines))


def region_of(address: Address, stated: str | None) -> str:
    """The region whose tax is due: the country of the address. Raises RegionDiffers if `stated` is another one."""
    if stated not in {None, address.country}:
        raise RegionDiffers(region=address.country)
    return address.country


def tax_on(amount: int, region: str) -> int:
    tax = TAXES.get(region, EXPORT)
    return rounded(Decimal(amount * tax.percent) / 100, tax.rounding)


def totals_of(lines: Sequence[Line], discounts: Iterable[Discount], region: str) -> Totals:
    subtotal = subtotal_of(lines)
    discount = discount_on(lines, discounts)
    tax = tax_on(subtotal - discount, region)
    return Totals(subtotal, discount, tax, subtotal - discount + tax)
