"""Prices: discounts, tax and rounding; totals are never negative."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudmart.kernel.money import rounded
from cloudmart.kernel.order import Line
from orders.price_rules import Rounding
from orders.pricing import AmountOff, PercentOff, Tax, discount_on, subtotal_of, tax_on, totals_of

pytestmark = pytest.mark.any_database

JP = Tax(Decimal(10), "ROUND_DOWN")
DE = Tax(Decimal(7), "ROUND_HALF_UP")
EXPORT = Tax(Decimal(0), "ROUND_HALF_UP")

lines = st.lists(
    st.builds(
        Line,
        book_id=st.sampled_from(["a", "b", "c"]),
        title=st.just("A book"),
        unit_price=st.integers(1, 10**7),
        quantity=st.integers(1, 1000),
    ),
    min_size=1,
    max_size=20,
)
percentages = st.decimals(0, 100, places=3)
quantities = st.integers(1, 50)
discounts = st.lists(
    st.one_of(
        st.builds(PercentOff, percentages, quantities),
        st.builds(AmountOff, st.integers(1, 10**10), quantities),
    ),
    max_size=4,
)
taxes = st.builds(Tax, percentages, st.sampled_from(Rounding.values))


@given(lines, discounts, taxes)
def test_totals_add_up_and_are_never_negative(lines, discounts, tax):
    totals = totals_of(lines, discounts, tax)
    assert totals.total == totals.subtotal - totals.discount + totals.tax
    assert 0 <= totals.discount <= totals.subtotal
    assert totals.tax >= 0 and totals.total >= 0


@given(lines, discounts)
def test_discounts_are_rounded_once_together(lines, discounts):
    exact = sum((discount(lines) for discount in discounts), Decimal(0))
    assert discount_on(lines, discounts) == min(rounded(exact), subtotal_of(lines))


@given(st.integers(0, 10**15), taxes)
def test_tax_is_within_one_minor_unit_of_the_rate(amount, tax):
    assert abs(tax_on(amount, tax) - Decimal(amount) * tax.percent / 100) < 1


@pytest.mark.parametrize(
    ("amount", "tax", "due"),
    [
        (1009, JP, 100),
        (1050, DE, 74),
        (1049, DE, 73),
        (1000, EXPORT, 0),
        (0, JP, 0),
        (3850, Tax(Decimal("8.875"), "ROUND_UP"), 342),
        (250, Tax(Decimal(7), "ROUND_HALF_EVEN"), 18),
        (50, Tax(Decimal(7), "ROUND_HALF_EVEN"), 4),
        (150, Tax(Decimal(7), "ROUND_HALF_EVEN"), 10),
    ],
)
def test_each_rate_has_its_own_rounding(amount, tax, due):
    assert tax_on(amount, tax) == due


def test_discounts_add_up():
    many = [Line("a", "A book", 1000, 10), Line("b", "Another", 500, 1)]
    standing, coupon = PercentOff(Decimal(5), from_quantity=10), PercentOff(Decimal("7.5"))
    assert discount_on(many, [standing]) == 500
    assert discount_on(many, [standing, coupon]) == 500 + 788
    assert discount_on(many, [standing, coupon, AmountOff(300)]) == 1588


@pytest.mark.parametrize(("quantity", "percent", "amount"), [(2, 0, 0), (3, 300, 200), (4, 400, 200)])
def test_a_discount_from_a_quantity_needs_so_many_copies_of_a_book(quantity, percent, amount):
    order = [Line("a", "A book", 1000, quantity), Line("b", "Another", 1000, 2)]
    assert discount_on(order, [PercentOff(Decimal(10), from_quantity=3)]) == percent
    assert discount_on(order, [AmountOff(200, from_quantity=3)]) == amount


def test_an_amount_off_is_at_most_the_subtotal():
    totals = totals_of([Line("a", "A book", 1000, 1)], [AmountOff(5000)], JP)
    assert (totals.discount, totals.tax, totals.total) == (1000, 0, 0)
