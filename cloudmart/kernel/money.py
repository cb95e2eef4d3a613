"""Money is an integer in the minor unit of `settings.CURRENCY` (JPY: 1 is one yen)."""

from decimal import ROUND_HALF_UP, Decimal

HIGHEST_PRICE = 10**10
"""The highest price of a copy. It keeps order totals below 2**53, which every JSON reader parses exactly."""


def rounded(amount: Decimal, rounding: str = ROUND_HALF_UP) -> int:
    """Rounds to whole minor units, by one of decimal's rounding modes. Money is rounded nowhere else."""
    return int(amount.to_integral_value(rounding=rounding))
