"""The price of an order: discounts and tax as pure functions over its lines, which are given the rules."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cloudmart.kernel.money import rounded
from cloudmart.kernel.order import Address, Line, Totals
from orders.errors import RegionDiffers

Discount = Callable[[Sequence[Line]], Decimal]
"""A strategy: returns the discount on these lines, in minor units, not rounded."""


@dataclass(frozen=True, slots=True)
class PercentOff:
    """A percentage off each book of which at least `from_quantity` copies are bought."""

    percent: Decimal
    from_quantity: int = 1

    def __call__(self, lines: Sequence[Line]) -> Decimal:
        return subtotal_of(line for line in lines if line.quantity >= self.from_quantity) * self.percent / 100


@dataclass(frozen=True, slots=True)
class AmountOff:
    """An amount off an order with at least `from_quantity` copies of a book."""

    amount: int
    from_quantity: int = 1

    def __call__(self, lines: Sequence[Line]) -> Decimal:
        return Decimal(self.amount if any(line.quantity >= self.from_quantity for line in lines) else 0)


@dataclass(frozen=True, slots=True)
class Tax:
    """The sales tax of a region, and its rounding mode, one of decimal's."""

    percent: Decimal
    rounding: str


def subtotal_of(lines: Iterable[Line]) -> int:
    return sum(line.unit_price * line.quantity for line in lines)


def discount_on(lines: Sequence[Line], discounts: Iterable[Discount]) -> int:
    """The sum of all discounts, rounded once, and at most the subtotal."""
    off = sum((discount(lines) for discount in discounts), Decimal(0))
    return min(rounded(off), subtotal_of(lines))


def check_region(address: Address, stated: str | None) -> None:
    """Raises RegionDiffers if `stated` is not the region whose tax is due: the country of the address."""
    if stated not in {None, address.country}:
        raise RegionDiffers(region=address.country)


def tax_on(amount: int, tax: Tax) -> int:
    return rounded(amount * tax.percent / 100, tax.rounding)


def totals_of(lines: Sequence[Line], discounts: Iterable[Discount], tax: Tax) -> Totals:
    subtotal = subtotal_of(lines)
    discount = discount_on(lines, discounts)
    due = tax_on(subtotal - discount, tax)
    return Totals(subtotal, discount, due, subtotal - discount + due)
