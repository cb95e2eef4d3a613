"""The stock aggregate, without a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import OutOfStock, StockIsReserved
from inventory.stock import EventType, Stock, StockChange, shared_out
from tests.ledger import stock_after

commands = st.lists(
    st.tuples(
        st.sampled_from(["add", "reserve", "confirm", "release", "expire", "put_back", "adjust"]), st.integers(1, 9)
    ),
    max_size=60,
)


@given(commands)
def test_stock_covers_its_reservations_and_equals_its_replay(commands):
    stock, events = Stock(), []
    for command, copies in commands:
        if command in {"confirm", "release", "expire"} and copies > stock.reserved:
            continue
        try:
            event = getattr(stock, command)(copies if command != "adjust" else copies - 5)
        except (OutOfStock, StockIsReserved):
            continue
        stock = stock.after(event)
        events.append(event)
        assert 0 <= stock.reserved <= stock.on_hand
        assert stock.available == stock.on_hand - stock.reserved
    assert stock_after(events) == stock
    assert stock.version == len(events)


def test_at_most_the_available_copies_are_reserved():
    stock = stock_after([Stock().add(5), StockChange(EventType.STOCK_RESERVED, 0, 3)])
    with pytest.raises(OutOfStock) as refusal:
        stock.reserve(3)
    assert refusal.value.details == {"requested": 3, "available": 2}


def test_reserved_copies_cannot_be_removed_by_an_adjustment():
    stock = stock_after([Stock().add(5), StockChange(EventType.STOCK_RESERVED, 0, 3)])
    assert stock.after(stock.adjust(-2)).available == 0
    with pytest.raises(StockIsReserved):
        stock.adjust(-3)


def test_an_impossible_event_is_not_applied():
    with pytest.raises(ValueError, match="impossible"):
        Stock().after(StockChange(EventType.RESERVATION_CONFIRMED, -1, -1))


@given(st.integers(0, 30), st.integers(0, 30), st.lists(st.integers(-3, 9), min_size=1, max_size=9))
def test_the_shares_of_a_stock_are_the_stock(available, reserved, reserved_before):
    shares = shared_out(Stock(available + reserved, reserved, 5), reserved_before)
    assert len(shares) == len(reserved_before)
    assert sum(share.on_hand for share in shares) == available + reserved
    assert sum(share.reserved for share in shares) == reserved
    assert all(0 <= share.reserved <= share.on_hand for share in shares)
    assert max(share.available for share in shares) - min(share.available for share in shares) <= 1


@given(st.integers(0, 30), st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_shares_keep_the_reserved_copies_that_they_have(available, reserved):
    shares = shared_out(Stock(available + sum(reserved), sum(reserved)), reserved)
    assert [share.reserved for share in shares] == reserved
