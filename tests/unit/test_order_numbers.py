"""The short numbers of orders."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudmart.kernel.order_numbers import beginning_of, number_of, shown

pytestmark = pytest.mark.any_database

ORDER = UUID("01a21719-44a7-7338-8893-a9eea7f3b34c")


def test_a_number_is_the_end_of_the_id():
    assert (number_of(ORDER), shown(ORDER)) == ("A7F3B34C", "A7F3-B34C")


@given(st.uuids(), st.integers(3, 8), st.sampled_from(["", "#", " #"]), st.booleans())
def test_the_beginning_of_a_shown_number_is_understood(order_id, length, sign, is_lower):
    written = shown(order_id)[: length + (length > 4)]
    beginning = beginning_of(sign + (written.lower() if is_lower else written))
    assert beginning == number_of(order_id)[:length]


@pytest.mark.parametrize("term", ["", "A7", "A7F3-B34C-1", "customer-001", "#", "¥3850", str(ORDER)])
def test_other_terms_are_no_number(term):
    assert beginning_of(term) is None
