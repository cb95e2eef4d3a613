"""The events that a step log amounts to, and their order among those that were recorded outside the saga."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.models import Order
from sagas.desk.disclosure import NO_RESPONSE
from sagas.desk.timeline import merged, timeline
from sagas.events import PAYLOAD_VERSION, EventType, attempt_data, upcast
from sagas.models import Event, SagaInstance, SagaStepLog
from sagas.orchestration.events import EVENTS_OF_STEP, events_in
from sagas.orchestration.workflow import ORDER_WORKFLOW, Remote
from tests.conftest import order_snapshot

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
DECLINE = {"code": "payment_declined", "detail": "No funds.", "reason": "insufficient_funds"}
FORWARD = [step.name for step in ORDER_WORKFLOW]
AT_HOME = {EventType.ITEM_ADDED, EventType.ITEM_REMOVED, EventType.ORDER_CONFIRMED}

pytestmark = pytest.mark.any_database


def saga(failure=None):
    order = order_snapshot(("book-123", 2))
    return SagaInstance(order_id=order.order_id, payload=order.as_json(), failure=failure, cancelled_by="operator")


def line(step, status="done", direction="do", **more):
    times = {"started": NOW, "finished": None if status == "started" else NOW}
    return SagaStepLog(**{"step": step, "status": status, "direction": direction, **times, **more})


def types(events):
    return [str(event.event_type) for event in events]


def test_every_step_has_its_events():
    for step in ORDER_WORKFLOW:
        names = EVENTS_OF_STEP[step.name]
        assert names.done and (names.refused or step.name == "create_order")
        assert bool(names.undone) == bool(step.undo)


def test_the_events_of_a_completed_saga():
    events = events_in(saga(), [line(step) for step in FORWARD])
    expected = ["OrderCreated", "StockReserved", "PaymentCompleted", "ShippingArranged", "StockConfirmed"]
    assert types(events) == [*expected, "OrderCompleted"]
    assert [event.seq for event in events] == [*range(1, 7)]


def test_a_log_without_details_says_what_can_be_known():
    """Lines that an earlier version has written have none."""
    log = [
        line("create_order"),
        line("reserve_stock"),
        line("process_payment", "started"),
        line("process_payment", "failed", error="ProviderUnavailable: attempt 1"),
        line("process_payment", "failed", error="No funds.", state="COMPENSATION_STARTED", attempt=2),
        line("process_payment", "skipped", "undo"),
        line("reserve_stock", "done", "undo"),
        line("create_order", "done", "undo"),
    ]
    events = events_in(saga(DECLINE), log)
    undone = ["StockReleased", "OrderCancelled"]
    assert types(events) == ["OrderCreated", "StockReserved", "AttemptFailed", "PaymentFailed", *undone]
    assert events[2].payload["command"] == "ProcessPayment"
    assert events[3].payload["attempts"] == 2
    assert (events[5].payload["code"], events[5].payload["reason"]) == ("payment_declined", "No funds.")


@pytest.mark.parametrize(("paid", "expected"), [(["process_payment"], "PaymentRefunded"), ([], "PaymentCancelled")])
def test_what_was_not_charged_is_cancelled_and_not_refunded(paid, expected):
    log = [*map(line, paid), line("process_payment", "done", "undo", detail={"amount": 2200})]
    assert types(events_in(saga(), log))[-1] == expected


def test_unknown_steps_are_left_out():
    assert events_in(saga(), [line("wrap_gift"), line("wrap_gift", "failed"), line("wrap_gift", "done", "undo")]) == []


statuses = st.sampled_from(["started", "done", "failed", "skipped"])
lines = st.builds(
    line,
    st.sampled_from([*FORWARD, "cancel", "deadline", "unknown"]),
    statuses,
    st.sampled_from(["do", "undo"]),
    error=st.sampled_from(["", "No funds."]),
    state=st.sampled_from(["", "COMPENSATION_STARTED"]),
    detail=st.sampled_from([{}, {"command": "X"}, {"command": "X", **DECLINE}]),
)


@given(st.lists(lines, max_size=20), st.sampled_from([None, DECLINE]))
def test_any_log_has_a_timeline_with_the_data_of_the_order(log, failure):
    owner = saga(failure)
    events = events_in(owner, log)
    remote = {step.name for step in ORDER_WORKFLOW if isinstance(step, Remote)}
    most = sum(2 for each in log if each.step in FORWARD or each.step in {"cancel", "deadline"})
    assert len(events) <= most
    assert types(events).count("AttemptFailed") <= sum(each.step in remote and bool(each.error) for each in log)
    for number, event in enumerate(events, start=1):
        assert (event.seq, event.aggregate_id, event.payload["version"]) == (number, owner.order_id, PAYLOAD_VERSION)
        assert (event.payload["book_id"], event.payload["quantity"]) == ("book-123", 2)
        assert "command" not in event.payload or event.event_type == "AttemptFailed"


def test_an_entry_has_what_every_event_says_and_its_own_data_without_the_rest():
    owner = saga()
    order = Order(pk=owner.order_id, customer_id="customer-001", total=2200, saga_style="choreography")
    charged = {"version": 3, "amount": 2200, "currency": "JPY", "lines": ["left out"], "actor": "operator"}
    failed = attempt_data("ArrangeShipping", 1, "no response", NOW + timedelta(seconds=1))
    events = [
        Event(event_type="PaymentCompleted", payload=charged, timestamp=NOW),
        Event(event_type="AttemptFailed", payload=failed, timestamp=NOW + timedelta(minutes=1)),
    ]
    first, second = timeline(order, owner, events, is_for_operators=True)
    assert (first.position, first.customer_id, first.book_id) == (1, "customer-001", "book-123")
    assert (first.quantity, first.total_amount, first.actor) == (2, 2200, "operator")
    assert first.data == {"amount": 2200, "currency": "JPY"}
    assert second.data == {"command": "ArrangeShipping", "attempt": 1, "error": "no response"}
    assert second.timestamp == NOW + timedelta(seconds=1), "when it failed, not when that was recorded"
    paid, attempt = timeline(order, None, events, is_for_operators=False)
    assert paid.actor is None and attempt.data["error"] == NO_RESPONSE


def test_an_entry_whose_event_lacks_the_data_of_the_order_has_it():
    """Events of version 1 say nothing of their order."""
    owner = saga()
    order = Order(pk=owner.order_id, customer_id="customer-001", total=2200, saga_style="choreography")
    old = [
        Event(event_type="OrderCreated", payload=upcast({"total": 2200, "schema": 1}), timestamp=NOW),
        Event(event_type="PaymentCompleted", payload=upcast({"transaction_id": "t", "tries": 2}), timestamp=NOW),
    ]
    created, paid = timeline(order, owner, old, is_for_operators=True)
    amounts = {name: owner.payload["totals"][name] for name in ("subtotal", "discount", "tax")}
    assert created.data == {"lines": owner.payload["lines"], **amounts, "currency": "JPY"}
    assert (created.book_id, created.quantity, created.total_amount) == ("book-123", 2, 2200)
    assert paid.data == {"transaction_id": "t", "attempts": 2, "currency": "JPY"}


def event(event_type, minutes):
    return Event(event_type=event_type, timestamp=NOW + timedelta(minutes=minutes))


logs = st.lists(st.tuples(st.sampled_from(["OrderCreated", "OrderCompleted", "StockReleased"]), st.integers(0, 9)))
recordings = st.lists(st.tuples(st.sampled_from([*EventType]), st.integers(0, 9)))


@given(recordings, logs)
def test_merging_keeps_everything_and_the_order_of_the_log_and_of_the_draft(recorded, logged):
    recorded = [event(*each) for each in sorted(recorded, key=lambda pair: pair[1])]
    logged = [event(*each) for each in logged]
    both = merged(recorded, logged)
    assert sorted(map(id, both)) == sorted(map(id, [*recorded, *logged]))
    assert [each for each in both if each in logged] == logged
    own = [each for each in recorded if each.event_type in AT_HOME]
    assert both[: len(own)] == own
    assert [each for each in both if each in recorded and each not in own] == [
        each for each in recorded if each not in own
    ]


def test_what_is_recorded_later_follows_the_completion_and_is_ordered_by_time_from_there_on():
    logged = [event("OrderCreated", 5), event("OrderCompleted", 6), event("OrderCancelRequested", 8)]
    recorded = [event("ItemAdded", 9), event("OrderShipped", 1), event("OrderDelivered", 9)]
    expected = [
        "ItemAdded",
        "OrderCreated",
        "OrderCompleted",
        "OrderShipped",
        "OrderCancelRequested",
        "OrderDelivered",
    ]
    assert types(merged(recorded, logged)) == expected


def test_what_is_recorded_during_the_compensation_follows_the_failure():
    logged = [
        event("OrderCreated", 1),
        event("OrderTimedOut", 2),
        event("AttemptFailed", 3),
        event("OrderCancelled", 9),
    ]
    expected = ["OrderCreated", "OrderTimedOut", "AttemptFailed", "OrderShipped", "OrderCancelled"]
    assert types(merged([event("OrderShipped", 5)], logged)) == expected


def test_payloads_of_earlier_versions_are_read():
    book = {"book_id": "book-123", "title": "Clouds", "unit_price": 1000, "quantity": 2}
    second = {"version": 2, "order_id": "o", "lines": [book], "subtotal": 2000, "total": 2200}
    assert upcast(second) == {
        "version": PAYLOAD_VERSION,
        "order_id": "o",
        "lines": [book],
        "book_id": "book-123",
        "quantity": 2,
        "subtotal": 2000,
        "total_amount": 2200,
    }
    assert upcast({"total": 2200}) == {"version": PAYLOAD_VERSION, "total_amount": 2200}
    assert upcast(upcast(second)) == upcast(second)
