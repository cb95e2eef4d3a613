"""Money is an integer in the minor unit of `settings.CURRENCY` (JPY: 1 is one yen; EUR: 1 is one cent)."""

from decimal import ROUND_HALF_UP, Decimal

from django.conf import settings
from django.utils.translation import get_language
from iso4217 import Currency

HIGHEST_PRICE = 10**10
"""The highest price of a copy. It keeps order totals below 2**53, which every JSON reader parses exactly."""

SYMBOLS = {
    "AUD": "A$",
    "BRL": "R$",
    "CAD": "CA$",
    "CNY": "CN¥",
    "EUR": "€",
    "GBP": "£",
    "HKD": "HK$",
    "ILS": "₪",
    "INR": "₹",
    "JPY": "¥",
    "KRW": "₩",
    "MXN": "MX$",
    "NZD": "NZ$",
    "PHP": "₱",
    "TWD": "NT$",
    "USD": "$",
    "VND": "₫",
}
"""How English texts abbreviate a currency (Unicode CLDR). The others are written with their code and a space."""

SUFFIXES = {("ja", "JPY"): "円"}
"""What stands behind the number instead, by language and currency."""


def rounded(amount: Decimal, rounding: str = ROUND_HALF_UP) -> int:
    """Rounds to whole minor units, by one of decimal's rounding modes. Money is rounded nowhere else."""
    return int(amount.to_integral_value(rounding=rounding))


def minor_digits(currency: str) -> int:
    """The digits of the minor unit by ISO 4217: JPY 0, EUR 2, KWD 3. Raises ValueError if the currency has none."""
    digits = Currency(currency).exponent
    if digits is None:
        raise ValueError(f"{currency} has no minor unit")
    return int(digits)


def in_major_units(amount: int) -> Decimal:
    """Returns an amount of the shop's currency as a number for spreadsheets: 3850 yen, 38.50 euros."""
    return Decimal(amount).scaleb(-minor_digits(settings.CURRENCY))


def formatted(amount: int, language: str = "") -> str:
    """Returns an amount of the shop's currency as people write it: ¥3,850 (in Japanese 3,850円), €38.50, KWD 3.850.

    Without a language it is that of the page.
    """
    language = language or (get_language() or "en")[:2]
    currency = settings.CURRENCY
    sign = "-" if amount < 0 else ""
    number = f"{abs(in_major_units(amount)):,f}"
    if suffix := SUFFIXES.get((language, currency)):
        return f"{sign}{number}{suffix}"
    return f"{sign}{SYMBOLS.get(currency, f'{currency} ')}{number}"
