"""The timeline of an order, from rows of its log or its events, on its axis, as SVG and as a table."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudmart.kernel.ids import new_id
from sagas.events import EventType
from sagas.models import Event, EventReceipt, SagaInstance, SagaStepLog, State
from sagas.operations.timeline.axis import axis_for
from sagas.operations.timeline.bars import Attempt, Bar, BarStatus, InFlight, Mark, Timeline
from sagas.operations.timeline.durations import shown
from sagas.operations.timeline.reading import timeline_of_draft, timeline_of_events, timeline_of_log
from sagas.operations.timeline.rows import in_flight_text, rows_of
from sagas.operations.timeline.svg import LEFT, RIGHT, drawn
from tests.conftest import order_snapshot

START = datetime(2026, 11, 26, 10, tzinfo=UTC)

pytestmark = pytest.mark.any_database


def at(milliseconds):
    return START + timedelta(milliseconds=milliseconds)


def saga(style="orchestration", **columns):
    order = order_snapshot(("book-123", 2), style=style)
    columns = {"status": State.COMPLETED, **columns}
    found = SagaInstance(
        order_id=order.order_id, saga_type=style, payload=order.as_json(), created_at=START, **columns
    )
    found.read_at = at(60_000)
    return found


def line(step, start, end=None, status="done", direction="do", **more):
    finished = None if end is None else at(end)
    return SagaStepLog(step=step, status=status, direction=direction, started=at(start), finished=finished, **more)


def failed(step, start, end, **more):
    return line(step, start, end, "failed", error="ProviderUnavailable: 503", **more)


def event(seq, event_type, when, cause=None, **payload):
    return Event(
        event_type=event_type,
        seq=seq,
        timestamp=at(when),
        causation_id=cause.pk if cause else None,
        delivered_at=at(when),
        payload=payload,
    )


def attempt_failed(seq, command, attempt, start, end, **more):
    times = {"started_at": at(start).isoformat(), "failed_at": at(end).isoformat()}
    return event(seq, "AttemptFailed", end, command=command, attempt=attempt, error="no response", **times, **more)


def summary(timeline):
    """Returns step, direction, status, start and end of each bar."""
    return [(bar.step, str(bar.direction), str(bar.status), bar.started, bar.finished) for bar in timeline.bars]


def test_started_and_done_are_one_bar_in_milliseconds():
    log = [
        line("create_order", 0, 2),
        line("reserve_stock", 2, 5),
        line("process_payment", 6, status="started"),
        line("process_payment", 8, 31, detail={"transaction_id": "txn_1"}),
    ]
    timeline = timeline_of_log(saga(), log, [])
    assert summary(timeline) == [
        ("create_order", "do", "done", 0, 2),
        ("reserve_stock", "do", "done", 2, 5),
        ("process_payment", "do", "done", 8, 31),
    ]
    assert (timeline.bars[2].reference, timeline.bars[2].duration, timeline.duration) == ("txn_1", 23, 31)


def test_attempts_are_counted_through_with_their_waits_errors_and_the_refusal():
    """Each visit of a driver logs an intent, and numbers its attempts from 1 again."""
    log = [
        line("arrange_shipping", 0, status="started"),
        failed("arrange_shipping", 1, 3, attempt=1),
        failed("arrange_shipping", 5, 7, attempt=2),
        line("arrange_shipping", 41_007, status="started"),
        failed("arrange_shipping", 41_008, 41_009, attempt=1),
        failed("arrange_shipping", 41_020, 41_022, attempt=2, state=State.COMPENSATION_STARTED),
    ]
    (bar,) = timeline_of_log(saga(status=State.FAILED), log, []).bars
    assert [attempt.number for attempt in bar.attempts] == [1, 2, 3, 4]
    assert {attempt.error for attempt in bar.attempts} == {"ProviderUnavailable: 503"}
    assert bar.waits == [(3, 5), (7, 41_008), (41_009, 41_020)]
    assert (bar.status, bar.error) == ("failed", "ProviderUnavailable: 503")


def test_what_is_undone_has_bars_of_its_own_and_a_skipped_one_says_so():
    log = [
        line("process_payment", 0, 3),
        line("cancel", 50, 50, state=State.COMPENSATION_STARTED, detail={"reason": "Changed my mind"}),
        line("arrange_shipping", 51, 51, "skipped", "undo"),
        line("process_payment", 52, status="started", direction="undo"),
        line("process_payment", 53, 60, direction="undo"),
    ]
    timeline = timeline_of_log(saga(status=State.FAILED, cancelled_by="customer-001"), log, [])
    assert [bar.step for bar in timeline.done] == ["process_payment"]
    assert [(bar.step, bar.status) for bar in timeline.undone] == [
        ("arrange_shipping", "skipped"),
        ("process_payment", "done"),
    ]
    assert timeline.marks == (Mark("OrderCancelRequested", 50, "Changed my mind, customer-001"),)


def test_a_returned_order_is_not_said_to_be_cancelled():
    log = [line(step, 0, 1, direction="undo") for step in ("arrange_shipping", "process_payment", "create_order")]
    returned = saga(status=State.FAILED, failure={"code": "order_returned", "detail": ""})
    names = [row.name for row in rows_of(timeline_of_log(returned, log, []))]
    assert names == ["Take parcel back", "Refund", "Return order"]


WAITING = {"status": State.STOCK_RESERVED, "current_step": "process_payment", "attempts": 2}
CALLS = [
    line("process_payment", 0, status="started"),
    *(failed("process_payment", start, start + 1, attempt=start + 1) for start in range(3)),
    line("process_payment", 20_000, status="started"),
    *(failed("process_payment", 20_000 + start, 20_001 + start, attempt=start + 1) for start in range(2)),
]


def test_a_waiting_order_says_which_attempt_is_next_and_when():
    timeline = timeline_of_log(saga(**WAITING, wake_at=at(101_000), deadline_at=at(294_000)), CALLS, [])
    assert timeline.in_flight == InFlight("process_payment", "do", 6, False, 41, 234)
    assert in_flight_text(timeline) == "Pay: attempt 6, next in 41 s, deadline in 3 min 54 s"
    assert (timeline.bars[0].status, timeline.duration) == ("waiting", 60_000)


def test_a_running_attempt_lasts_until_now():
    log = [*CALLS, line("process_payment", 59_000, status="started")]
    timeline = timeline_of_log(saga(**WAITING, owner="host:1:1", lease_until=at(70_000)), log, [])
    assert timeline.bars[0].attempts[-1] == Attempt(6, 59_000, 60_000)
    assert in_flight_text(timeline) == "Pay: attempt 6, running now"


def test_an_attempt_without_an_outcome_says_that_its_driver_stopped():
    log = [line("process_payment", 0, status="started"), line("process_payment", 15_000, 15_010)]
    (bar,) = timeline_of_log(saga(), log, []).bars
    assert [bool(attempt.error) for attempt in bar.attempts] == [False], "a call follows its intent"
    log.insert(1, line("process_payment", 15_000, status="started"))
    (bar,) = timeline_of_log(saga(), log, []).bars
    assert "driver stopped" in bar.attempts[0].error and bar.status == "done"


def test_an_abandoned_order_is_not_said_to_be_retried():
    timeline = timeline_of_log(saga(**WAITING, abandoned_at=at(58_000), attention="Paid by hand"), CALLS, [])
    assert (timeline.in_flight, timeline.bars[0].status) == (None, "abandoned")
    assert in_flight_text(timeline) == "Abandoned 2.0 s ago: Paid by hand"


def test_a_call_that_a_cancellation_overtakes_is_stopped_and_not_waiting():
    undoing = {**WAITING, "status": State.COMPENSATION_STARTED, "wake_at": at(70_000), "deadline_at": at(99_000)}
    log = [*CALLS, line("process_payment", 30_000, status="started", direction="undo")]
    timeline = timeline_of_log(saga(**undoing), log, [])
    assert [(str(bar.direction), bar.status) for bar in timeline.bars] == [("do", "stopped"), ("undo", "waiting")]
    assert timeline.in_flight.deadline_in is None


def choreographed(upto=None):
    created = event(1, "OrderCreated", 0)
    failures = [attempt_failed(number + 2, "ProcessPayment", number, number, number + 1) for number in (1, 2)]
    reserved = event(2, "StockReserved", 0, created)
    late = attempt_failed(5, "ProcessPayment", 1, 41_000, 41_003, cause=created)
    paid = event(
        6, "PaymentCompleted", 41_009, created, attempts=2, transaction_id="t", started_at=at(41_004).isoformat()
    )
    return [created, reserved, *failures, late, paid][:upto]


def receipts_of(events, *consumers):
    return [
        EventReceipt(event=events[0], event_id=events[0].pk, consumer=consumer, received_at=at(1))
        for consumer in consumers
    ]


def test_a_choreographed_order_has_the_same_bars_with_the_reactions_behind_them():
    events = choreographed()
    receipts = receipts_of(events, "inventory.reserve_when_order_created", "payments.charge_when_order_created")
    timeline = timeline_of_events(saga("choreography"), events, receipts)
    assert summary(timeline) == [
        ("create_order", "do", "done", 0, 0),
        ("reserve_stock", "do", "done", 0, 0),
        ("process_payment", "do", "done", 1, 41_009),
    ]
    paid = timeline.bars[2]
    assert [(attempt.number, attempt.started, attempt.finished) for attempt in paid.attempts] == [
        (1, 1, 2),
        (2, 2, 3),
        (3, 41_000, 41_003),
        (4, 41_004, 41_009),
    ]
    path = [row.path for row in rows_of(timeline)][-1]
    assert path == "OrderCreated → payments.charge_when_order_created → PaymentCompleted, processed at 1 ms"


def test_a_choreographed_order_says_which_reaction_waits_for_its_provider():
    events = choreographed(upto=4)
    events[0].delivered_at = None
    waiting = {"status": State.STOCK_RESERVED, "attempts": 1, "wake_at": at(101_000), "deadline_at": at(294_000)}
    receipts = receipts_of(events, "inventory.reserve_when_order_created")
    timeline = timeline_of_events(saga("choreography", **waiting), events, receipts)
    assert in_flight_text(timeline) == "Pay: attempt 3, next in 41 s, deadline in 3 min 54 s"
    assert (timeline.bars[2].status, timeline.bars[2].reaction) == ("waiting", "payments.charge_when_order_created")


def test_events_of_earlier_versions_without_times_of_attempts_have_bars():
    events = choreographed()
    for each in events:
        each.payload.pop("started_at", None)
    paid = timeline_of_events(saga("choreography"), events, []).bars[2]
    assert [(attempt.started, attempt.finished) for attempt in paid.attempts] == [
        (0, 2),
        (2, 3),
        (41_003, 41_003),
        (41_003, 41_009),
    ]


def test_a_draft_has_the_marks_of_its_events():
    timeline = timeline_of_draft(new_id(), [event(1, "ItemAdded", 0, book_id="book-1", quantity=2)])
    assert (timeline.marks, timeline.bars) == ((Mark("ItemAdded", 0, "book-1, 2"),), ())
    assert 'class="tl-mark"' in drawn(timeline)
    assert timeline_of_draft(new_id(), []).duration == 0


# --- Axis, SVG and table ------------------------------------------------------------------------------------------

spans = st.lists(st.tuples(st.floats(0, 1e7), st.floats(0, 1e4)), max_size=12)


@given(spans)
def test_the_axis_keeps_the_order_of_moments_and_what_is_within_it(pairs):
    busy = [(start, start + length) for start, length in pairs]
    duration = max([0.0, *(end for _, end in busy)])
    axis = axis_for(busy, duration, LEFT, RIGHT)
    moments = sorted([0.0, duration, *(moment for span in busy for moment in span)])
    positions = [axis.position(moment) for moment in moments]
    assert positions == sorted(positions)
    assert positions[0] >= LEFT and positions[-1] <= RIGHT + 1e-6


def test_minutes_of_waiting_do_not_squash_the_milliseconds():
    axis = axis_for([(0, 20), (60_000, 60_020)], 60_020, 0, 800)
    assert axis.position(20) - axis.position(0) > 300
    (gap,) = axis.breaks
    assert (gap.start, gap.end) == (20, 60_000)


attempts = st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e4), st.booleans()), min_size=1, max_size=4)


@st.composite
def timelines(draw):
    """Logs with times in any order, as the clocks of several machines give them."""
    steps = draw(st.lists(st.sampled_from(["create_order", "process_payment", "arrange_shipping"]), max_size=8))
    statuses = st.sampled_from(["started", "done", "failed", "skipped"])
    log = [
        line(step, start, start + length, draw(statuses), draw(st.sampled_from(["do", "undo"])), error="x" * wrong)
        for step in steps
        for start, length, wrong in draw(attempts)
    ]
    return timeline_of_log(saga(status=draw(st.sampled_from([State.FAILED, State.STOCK_RESERVED]))), log, [])


@given(timelines())
def test_any_log_has_bars_that_do_not_overlap_and_lie_within_the_axis(timeline):
    assert len({(bar.step, bar.direction) for bar in timeline.bars}) == len(timeline.bars)
    for bar in timeline.bars:
        assert [attempt.number for attempt in bar.attempts] == [*range(1, len(bar.attempts) + 1)]
        assert all(attempt.finished >= attempt.started >= 0 for attempt in bar.attempts)
        assert all(start <= end for start, end in bar.waits)
        assert bar.finished <= timeline.duration
    svg = ElementTree.fromstring(drawn(timeline))  # noqa: S314
    for rect in svg.iter("rect"):
        left, width = float(rect.get("x")), float(rect.get("width"))
        assert left >= LEFT - 0.1 and left + width <= RIGHT + 0.2


@given(
    st.lists(st.tuples(st.sampled_from([*EventType]), st.integers(0, 10**6), st.integers(1, 3)), max_size=12),
    st.sampled_from([State.FAILED, State.STOCK_RESERVED]),
)
def test_any_events_have_bars_that_do_not_overlap_and_lie_within_the_axis(happened, status):
    events: list[Event] = []
    for number, (event_type, when, attempt) in enumerate(happened, start=1):
        call = {"command": "ProcessPayment", "attempt": attempt, "error": "x", "failed_at": at(when).isoformat()}
        payload = call if event_type == EventType.ATTEMPT_FAILED else {}
        events.append(event(number, event_type, when, events[-1] if events and when % 2 else None, **payload))
    timeline = timeline_of_events(saga("choreography", status=status), events, [])
    assert len({(bar.step, bar.direction) for bar in timeline.bars}) == len(timeline.bars)
    for bar in timeline.bars:
        assert all(attempt.finished >= attempt.started >= 0 for attempt in bar.attempts)
        assert all(start <= end for start, end in bar.waits) and bar.finished <= timeline.duration
    assert len(rows_of(timeline)) == len(timeline.marks) + sum(len(bar.attempts) for bar in timeline.bars)


def test_each_bar_of_the_svg_leads_to_its_row_and_texts_are_escaped():
    refused = Bar("process_payment", "do", BarStatus.FAILED, (Attempt(1, 0, 5, "<b>no</b>"),), error="<b>no</b>")
    timeline = Timeline(new_id(), "orchestration", START, 5, "FAILED", (refused,), (Mark("ItemAdded", 0, "<i>"),))
    svg = drawn(timeline)
    root = ElementTree.fromstring(svg)  # noqa: S314
    links = [link.get("href") for link in root.iter("a")]
    assert links == [f"#{row.anchor}" for row in rows_of(timeline)]
    assert root.get("aria-label") and "<script" not in svg and "<b>" not in svg and "style=" not in svg
    assert "Pay: failed, 1 attempt, from 0 ms, took 5 ms. <b>no</b>" in {title.text for title in root.iter("title")}


def test_no_two_rows_have_the_same_id():
    added = [event(seq, "ItemAdded", 0, book_id="book-1", quantity=2) for seq in (1, 2)]
    anchors = [row.anchor for row in rows_of(timeline_of_draft(new_id(), added))]
    assert len(set(anchors)) == 2


def test_hundreds_of_attempts_are_drawn_without_texts_above_each_other():
    log = [failed("process_payment", 300_000 * number, 300_000 * number + 2) for number in range(300)]
    root = ElementTree.fromstring(drawn(timeline_of_log(saga(**WAITING), log, [])))  # noqa: S314
    texts = [text for text in root.iter("text") if text.get("class") in {"tl-gap", "tl-number"}]
    assert texts == [] and len(list(root.iter("rect"))) == 300 + 299


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, "0 ms"),
        (0.04, "< 0.1 ms"),
        (0.07, "0.1 ms"),
        (0.4, "0.4 ms"),
        (4.29, "4.3 ms"),
        (9.97, "10 ms"),
        (277, "277 ms"),
        (999.7, "1.0 s"),
        (4290, "4.3 s"),
        (9960, "10 s"),
        (41_000, "41 s"),
        (234_000, "3 min 54 s"),
        (3_599_600, "1 h 0 min"),
        (18_720_000, "5 h 12 min"),
        (183_600_000, "2 d 3 h"),
    ],
)
def test_durations(milliseconds, expected):
    assert shown(milliseconds) == expected
