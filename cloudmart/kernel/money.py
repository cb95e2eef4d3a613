"""Money is an integer in the minor unit of `settings.CURRENCY` (JPY: 1 is one yen)."""

from decimal import ROUND_HALF_UP, Decimal


def rounded(amount: Decimal, rounding: str = ROUND_HALF_UP) -> int:
    """`amount` in whole minor units, by one of decimal's rounding modes: the one place where money is rounded."""
    return int(amount.to_integral_value(rounding=rounding))
