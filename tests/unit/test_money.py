"""Money: minor units by ISO 4217, and amounts as people write them."""

from decimal import Decimal

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from cloudmart.kernel.money import HIGHEST_PRICE, SYMBOLS, formatted, minor_digits

pytestmark = pytest.mark.any_database


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("EUR", 2), ("KWD", 3)])
def test_a_currency_has_the_minor_unit_of_iso_4217(currency, digits):
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("currency", ["", "jpy", "ABC", "XAU"])
def test_what_is_no_currency_or_has_no_minor_unit_is_refused(currency):
    with pytest.raises(ValueError):
        minor_digits(currency)


@pytest.mark.parametrize(
    ("currency", "amount", "written"),
    [
        ("JPY", 3850, "¥3,850"),
        ("JPY", 0, "¥0"),
        ("JPY", -1200, "-¥1,200"),
        ("EUR", 3850, "€38.50"),
        ("EUR", 5, "€0.05"),
        ("EUR", 123456789, "€1,234,567.89"),
        ("KWD", 3850, "KWD 3.850"),
        ("KWD", -1, "-KWD 0.001"),
    ],
)
def test_an_amount_is_written_with_the_digits_of_its_currency(settings, currency, amount, written):
    settings.CURRENCY = currency
    assert formatted(amount) == written


@pytest.mark.parametrize(("currency", "written"), [("JPY", "3,850円"), ("EUR", "€38.50"), ("KWD", "KWD 3.850")])
def test_japanese_texts_write_yen_behind_the_number(settings, currency, written):
    settings.CURRENCY = currency
    assert formatted(3850, "ja") == written


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["JPY", "EUR", "KWD", "CLF"]))
def test_no_digit_is_lost(amount, currency):
    with override_settings(CURRENCY=currency):
        written = formatted(amount)
    digits = written.replace(",", "").replace(SYMBOLS.get(currency, f"{currency} "), "")
    assert Decimal(digits).scaleb(minor_digits(currency)) == amount


def test_every_symbol_belongs_to_a_currency():
    assert all(minor_digits(currency) >= 0 for currency in SYMBOLS)
    assert formatted(HIGHEST_PRICE) == "¥10,000,000,000"
