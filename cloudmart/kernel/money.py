"""Money is an integer in the minor unit of `settings.CURRENCY` (JPY: 1 is one yen)."""

from decimal import ROUND_HALF_UP, Decimal

HIGHEST_PRICE = 10**10
"""Of one copy. So many copies as an order may have cost less than 2**53, which every reader of JSON takes exactly."""


def rounded(amount: Decimal, rounding: str = ROUND_HALF_UP) -> int:
    """`amount` in whole minor units, by one of decimal's rounding modes: the one place where money is rounded."""
    return int(amount.to_integral_value(rounding=rounding))
