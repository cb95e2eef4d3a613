"""The reservations of a past moment, computed backwards from the events, are those that were live then."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inventory.holds import HeldCopies, holds_after

pytestmark = pytest.mark.any_database

step = st.tuples(st.integers(0, 5), st.sampled_from(["set", "end", "elsewhere"]), st.integers(1, 4))
"""A reservation gets so many copies, or ends, or the stock changes otherwise."""
steps = st.lists(step, max_size=9) | st.lists(step, min_size=10, max_size=60)
"""Lists without a minimum are short: half of them have two steps or fewer."""
ENDED_BEFORE_ONE_THAT_GROWS = [(1, "set", 2), (1, "end", 1), (2, "set", 2), (2, "set", 4)]


def history_of(steps):
    """Returns the events, and after each of them the live reservations as (beginning, number, copies)."""
    live, events, states = {}, [], [[]]
    for number, what, copies in steps:
        before = live.get(number)
        quantity = before.copies if before else 0
        wanted = {"set": copies, "end": 0, "elsewhere": quantity}[what]
        if wanted == quantity:
            continue
        version = len(states)
        events.append((version, number, wanted - quantity))
        live = {key: hold for key, hold in live.items() if key != number}
        if wanted:
            live[number] = HeldCopies(before.version if before else version, number, wanted)
        states.append(sorted(live.values()))
    return events, states


@given(steps)
@example(ENDED_BEFORE_ONE_THAT_GROWS)
def test_the_holds_after_each_event_are_those_that_were_live(steps):
    events, states = history_of(steps)
    for version, live in enumerate(states):
        unread = iter(events[version - 1 :: -1] if version else [])
        assert holds_after(unread, sum(hold.copies for hold in live)) == live
        oldest = min((hold.version for hold in live), default=version + 1)
        assert len(list(unread)) == oldest - 1, "it reads back to the oldest of them, and no further"


def test_a_reservation_that_is_made_again_is_held_since_then():
    events, _ = history_of([(1, "set", 2), (1, "end", 1), (1, "set", 3), (1, "set", 4)])
    assert holds_after(reversed(events), 4) == [(3, 1, 4)]


def test_a_history_that_contradicts_itself_shows_what_it_has():
    events, _ = history_of([(1, "set", 2)])
    assert holds_after(reversed(events), 5) == [(1, 1, 2)]
