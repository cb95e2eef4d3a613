"""Prices: discounts, tax and rounding; totals are never negative."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudmart.kernel.money import rounded
from cloudmart.kernel.order import Line
from orders.errors import UnknownCoupon
from orders.pricing import (
    COUPONS,
    STANDING_DISCOUNTS,
    PercentageCoupon,
    QuantityDiscount,
    discount_on,
    discounts_for,
    subtotal_of,
    tax_on,
    totals_of,
)

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
discounts = st.lists(
    st.one_of(
        st.builds(PercentageCoupon, st.integers(0, 100)),
        st.builds(QuantityDiscount, st.integers(1, 50), st.integers(0, 100)),
    ),
    max_size=4,
)


@given(lines, discounts, st.sampled_from(["JP", "DE", "US", ""]))
def test_totals_add_up_and_are_never_negative(lines, discounts, region):
    totals = totals_of(lines, discounts, region)
    assert totals.total == totals.subtotal - totals.discount + totals.tax
    assert 0 <= totals.discount <= totals.subtotal
    assert totals.tax >= 0 and totals.total >= 0


@given(lines, discounts)
def test_discounts_are_rounded_once_together(lines, discounts):
    exact = sum((discount(lines) for discount in discounts), Decimal(0))
    assert discount_on(lines, discounts) == min(rounded(exact), subtotal_of(lines))


@given(st.integers(0, 10**12), st.sampled_from(["JP", "DE", "FR"]))
def test_tax_is_within_one_yen_of_the_rate(amount, region):
    exact = Decimal(amount) * {"JP": 10, "DE": 7, "FR": 0}[region] / 100
    assert abs(tax_on(amount, region) - exact) < 1


@pytest.mark.parametrize(
    ("amount", "region", "tax"),
    [(1009, "JP", 100), (1050, "DE", 74), (1049, "DE", 73), (1000, "US", 0), (0, "JP", 0)],
)
def test_each_region_has_its_own_rounding(amount, region, tax):
    assert tax_on(amount, region) == tax


def test_a_coupon_adds_to_the_standing_discounts():
    many = [Line("a", "A book", 1000, 10)]
    assert discount_on(many, discounts_for("")) == 500
    assert discount_on(many, discounts_for("WELCOME10")) == 1500
    assert discounts_for("READER20") == (*STANDING_DISCOUNTS, COUPONS["READER20"])


def test_an_unknown_coupon_is_refused():
    with pytest.raises(UnknownCoupon):
        discounts_for("welcome10")
