"""The movements of a book by day."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.movements import LedgerEvent, Movements, day_of
from inventory.stock import Stock

pytestmark = pytest.mark.any_database

MIDNIGHT_IN_TOKYO = datetime(2026, 11, 21, 15, tzinfo=UTC)

commands = st.lists(
    st.tuples(
        st.sampled_from(["add", "reserve", "confirm", "release", "expire", "put_back", "adjust"]),
        st.integers(1, 9),
        st.integers(0, 30),
    ),
    max_size=60,
)


def events_of(commands):
    """Returns the events of those commands that are possible, each some hours after the one before."""
    stock, moment, events = Stock(), MIDNIGHT_IN_TOKYO, []
    for name, copies, hours in commands:
        moment += timedelta(hours=hours)
        most = {"reserve": stock.available, "confirm": stock.reserved, "release": stock.reserved}
        if copies > most.get("release" if name == "expire" else name, copies):
            continue
        change = getattr(stock, name)(min(-copies + 5, 4) if name == "adjust" and stock.available > 4 else copies)
        stock = stock.after(change)
        events.append(LedgerEvent(change, stock, moment))
    return events


@given(commands)
def test_movements_add_up_to_the_stock(commands):
    events = events_of(commands)
    movements = Movements().add(events)
    total = sum(movements.days.values(), Counter({"adjusted": 0}))
    for day in movements.days.values():
        assert all(copies >= 0 for column, copies in day.items() if column != "adjusted")
    adjusted = sum(day["adjusted"] for day in movements.days.values())
    stock = events[-1].after if events else Stock()
    assert total["added"] + total["returned"] + adjusted - total["sold"] == stock.on_hand
    assert total["reserved"] - total["released"] - total["expired"] - total["sold"] == stock.reserved
    assert movements.version == stock.version == len(events)


@given(commands, st.integers(0, 60))
def test_events_may_be_added_in_parts(commands, at):
    events = events_of(commands)
    assert Movements().add(events[:at]).add(events[at:]) == Movements().add(events)


def test_a_day_is_one_of_the_shop(settings):
    before = MIDNIGHT_IN_TOKYO - timedelta(microseconds=1)
    assert (day_of(before), day_of(MIDNIGHT_IN_TOKYO)) == (date(2026, 11, 21), date(2026, 11, 22))
    settings.SHOP_TIME_ZONE = ZoneInfo("America/New_York")
    assert day_of(MIDNIGHT_IN_TOKYO) == date(2026, 11, 21)
