"""The events that leave the shop are recorded where they are decided: each once, numbered, with the whole outcome."""

from functools import partial
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.outbox.models import EventSequence, OutboxEvent
from cloudmart.outbox.recording import ORDER, SAGA_EVENTS, record
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_data import DATA
from orders.models import Customer, SagaStyle
from payments import direct as payments
from sagas.desk.cancelling import cancel_order
from sagas.desk.engine import engine
from sagas.models import Event, SagaInstance
from sagas.operations.commands import return_order
from sagas.operations.parcels import mark_as_delivered, mark_as_shipped
from shipping.models import Shipment
from tests.conftest import order_snapshot
from tests.integration.test_races import all_at_once
from tests.rounds import rounds

STYLES = pytest.mark.parametrize("style", SagaStyle)
TOKEN, NAME, EMAIL = "tok_secret_1234", "田中太郎", "tanaka@example.com"
ADDRESS = Address("150-0001", "東京都渋谷区神宮前1-2-3")
COMPLETED, CANCELLED, RETURNED, REFUNDED, SHIPPED, DELIVERED, *_ = EventType


@pytest.fixture(autouse=True)
def shop(customer, shelve, settings):
    settings.PROVIDER_TEXTS = "plain"
    Customer.objects.update(name=NAME, email=EMAIL)
    shelve("book-123", 50)
    shelve("book-456", 50)


def place(style, *lines, **changes):
    order = order_snapshot(
        *lines or [("book-123", 2), ("book-456", 1)],
        style=style,
        **{"address": ADDRESS, "payment_token": TOKEN, "coupon": "WELCOME10", **changes},
    )
    return engine.start(order).order_id


def recorded(order_id):
    """Returns the events of the order in their order, once it is checked that they have the numbers 1, 2, 3, …."""
    events = list(OutboxEvent.objects.filter(subject=str(order_id)).exclude(type=SAGA_EVENTS).order_by("position"))
    numbers = list(range(1, len(events) + 1))
    assert [event.sequence for event in events] == numbers
    assert EventSequence.objects.get(pk=f"order:{order_id}").latest == numbers[-1]
    return events


def types_of(order_id):
    return [event.type for event in recorded(order_id)]


# --- Every story ------------------------------------------------------------------------------------


def completed(style):
    return place(style)


def declined(style):
    return place(style, payment_token="tok_insufficient_funds")


def without_carrier(style):
    return place(style, address=Address("999-9999", ADDRESS.text))


def sold_out(style):
    return place(style, ("book-123", 1), ("book-456", 51))


def shipped(style):
    order_id = place(style)
    for mark in (mark_as_shipped, mark_as_shipped, mark_as_delivered, mark_as_delivered):
        mark(order_id)
    return order_id


def refunded_in_parts(style):
    order_id = place(style)
    for reference, amount in (("first", 300), ("first", 300), ("second", None)):
        payments.refund(payments.PartialRefund(order_id, amount, reference, "Torn."))
    return order_id


def cancelled_by_the_customer(style):
    order_id = place(style)
    payments.refund(payments.PartialRefund(order_id, 300, "torn"))
    cancel_order(order_id, "Changed my mind.", actor="customer-001")
    return order_id


def cancelled_by_the_shop(style):
    order_id = place(style)
    cancel_order(order_id, "The books got wet.", actor="operator")
    return order_id


def returned(style):
    order_id = place(style)
    mark_as_delivered(order_id)
    return_order(order_id, "Sent back.", "operator")
    return order_id


STORIES = {
    completed: [COMPLETED],
    declined: [CANCELLED],
    without_carrier: [REFUNDED, CANCELLED],
    sold_out: [CANCELLED],
    shipped: [COMPLETED, SHIPPED, DELIVERED],
    refunded_in_parts: [COMPLETED, REFUNDED, REFUNDED],
    cancelled_by_the_customer: [COMPLETED, REFUNDED, REFUNDED, CANCELLED],
    cancelled_by_the_shop: [COMPLETED, REFUNDED, CANCELLED],
    returned: [COMPLETED, DELIVERED, REFUNDED, RETURNED],
}


@STYLES
@pytest.mark.parametrize("story", STORIES)
def test_each_story_records_its_events(story, style):
    events = recorded(story(style))
    assert [event.type for event in events] == STORIES[story]
    for event in events:
        assert set(event.payload) == set(DATA[EventType(event.type)]().fields)
        assert event.payload["order_id"] == event.subject and event.payload["customer_id"] == "customer-001"
        text = str(event.payload)
        assert not [each for each in (TOKEN, NAME, EMAIL, ADDRESS.text, "150-0001", "tok_") if each in text]
        assert event.for_webhooks and not event.for_stream
        assert event.for_mail == (event.type != DELIVERED and not is_of_the_saga(event))


def is_of_the_saga(event):
    """Returns True for a refund that the mail of the cancellation names."""
    return event.payload.get("reference") == ":saga"


OUTCOME = {
    "customer_id": "customer-001",
    "lines": [
        {"book_id": "book-123", "title": "Book-123", "unit_price": 1000, "quantity": 2},
        {"book_id": "book-456", "title": "Book-456", "unit_price": 1000, "quantity": 1},
    ],
    "subtotal": 3000,
    "discount": 0,
    "tax": 300,
    "total": 3300,
    "currency": "JPY",
    "coupon": "WELCOME10",
    "payment_method": "credit_card",
}


@STYLES
def test_a_completed_order_says_what_was_bought_paid_and_sent(style):
    order_id = completed(style)
    (event,) = recorded(order_id)
    data = event.payload
    assert data.items() >= {**OUTCOME, "order_id": str(order_id), "style": style, "status": "completed"}.items()
    assert (data["reason"], data["cancelled_by"]) == (None, None)
    assert data["payment"] == {"charged": 3300, "refunded": 0, "refunds": []}
    assert data["parcel"]["carrier"] == "mock" and data["parcel"]["tracking_number"].startswith("trk_")
    assert data["placed_at"] == SagaInstance.objects.get().payload["placed_at"]


@STYLES
@pytest.mark.parametrize(
    ("story", "code", "detail", "by"),
    [
        (declined, "payment_declined", None, None),
        (without_carrier, "shipping_failed", None, None),
        (sold_out, "out_of_stock", None, None),
        (cancelled_by_the_customer, "order_cancelled", "Changed my mind.", "customer"),
        (cancelled_by_the_shop, "order_cancelled", "The books got wet.", "shop"),
        (returned, "order_returned", "Sent back.", "customer"),
    ],
)
def test_an_undone_order_says_why_and_who_wanted_it(story, code, detail, by, style):
    data = recorded(story(style))[-1].payload
    assert data["reason"]["code"] == code and data["cancelled_by"] == by
    assert data["reason"]["detail"] if detail is None else data["reason"]["detail"] == detail


@STYLES
@pytest.mark.parametrize("story", [completed, cancelled_by_the_shop, returned])
def test_the_outcome_names_the_parcel_that_the_carrier_has_accepted(story, style):
    outcome = recorded(story(style))[-1]
    parcel = Shipment.objects.values("carrier", "tracking_number").get(order_id=outcome.subject)
    assert outcome.payload["parcel"] == parcel and parcel["tracking_number"]


@STYLES
@pytest.mark.parametrize("story", [declined, without_carrier, sold_out])
def test_the_outcome_names_no_parcel_if_the_carrier_has_accepted_none(story, style):
    assert recorded(story(style))[-1].payload["parcel"] is None


@STYLES
def test_an_undone_order_names_every_refund(style):
    _, by_operator, by_saga, cancelled = recorded(cancelled_by_the_customer(style))
    refunds = [
        {"refund_id": each.payload["refund_id"], "amount": each.payload["amount"]} for each in (by_operator, by_saga)
    ]
    assert cancelled.payload["payment"] == {"charged": 3300, "refunded": 3300, "refunds": refunds}
    assert [each["amount"] for each in refunds] == [300, 3000]
    assert (by_operator.payload["refunded_total"], by_saga.payload["refunded_total"]) == (300, 3300)
    assert by_operator.payload["reference"] == "torn" and by_operator.payload["transaction_id"]


@STYLES
def test_a_parcel_has_its_times(style):
    _, on_its_way, arrived = recorded(shipped(style))
    assert on_its_way.payload["shipped_at"] and on_its_way.payload["delivered_at"] is None
    assert arrived.payload["shipped_at"] == on_its_way.payload["shipped_at"] <= arrived.payload["delivered_at"]


@STYLES
def test_an_order_that_costs_nothing_has_no_refund(style):
    order_id = place(style, totals=order_snapshot().totals)
    cancel_order(order_id, "Changed my mind.")
    assert types_of(order_id) == [COMPLETED, CANCELLED]


# --- Transactions -----------------------------------------------------------------------------------


def test_a_transaction_that_is_rolled_back_records_nothing():
    order_id = new_id()

    @durable
    def fails():
        record(COMPLETED, ORDER, order_id, {})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not OutboxEvent.objects.exists() and not EventSequence.objects.exists()
    durable(record)(COMPLETED, ORDER, order_id, {})
    assert types_of(order_id) == [COMPLETED]


@STYLES
def test_what_is_decided_at_the_same_time_is_numbered_without_a_gap(style):
    for _ in range(rounds(2, ci=10)):
        order_id = place(style)
        refunds = [partial(payments.refund, payments.PartialRefund(order_id, 10, f"r{n}")) for n in range(6)]
        results = all_at_once([*refunds, partial(mark_as_shipped, order_id), partial(mark_as_delivered, order_id)])
        assert [each for each in results if isinstance(each, Exception)] == []
        events = recorded(order_id)
        totals = [event.payload["refunded_total"] for event in events if event.type == REFUNDED]
        assert totals == [10, 20, 30, 40, 50, 60]
        assert next(event.type for event in events if event.type != REFUNDED) == COMPLETED


def test_the_first_events_of_a_subject_may_be_recorded_at_the_same_time():
    for _ in range(rounds(3, ci=20)):
        order_id = new_id()
        job = partial(durable(record), REFUNDED, ORDER, order_id, {})
        assert all_at_once([job] * 6) == [None] * 6
        assert types_of(order_id) == [REFUNDED] * 6


# --- The events of the saga -------------------------------------------------------------------------


def pointed_at(order_id):
    """Returns the numbers of the saga's events that the stream is to publish."""
    rows = OutboxEvent.objects.filter(type=SAGA_EVENTS, subject=str(order_id)).order_by("position")
    ranges = [(row.payload["first"], row.payload["last"]) for row in rows]
    assert not [row for row in rows if row.sequence or row.for_mail or row.for_webhooks or not row.for_stream]
    return [number for first, last in ranges for number in range(first, last + 1)]


@STYLES
@pytest.mark.parametrize("story", STORIES)
def test_the_stream_publishes_every_event_of_the_saga(story, style, settings):
    settings.EVENTS_URL = "redis://127.0.0.1:1/0"
    order_id = story(style)
    seqs = list(Event.objects.filter(aggregate_id=order_id).order_by("seq").values_list("seq", flat=True))
    assert pointed_at(order_id) == seqs and (seqs or style == SagaStyle.ORCHESTRATION)
    assert all(event.for_stream for event in recorded(order_id))


@STYLES
def test_without_a_stream_no_event_of_the_saga_is_recorded_for_it(style):
    order_id = completed(style)
    with CaptureQueriesContext(connection) as queries:
        mark_as_shipped(order_id)
    assert pointed_at(order_id) == []
    read = [query["sql"].replace('"', "`") for query in queries if query["sql"].startswith("SELECT")]
    assert not [sql for sql in read if "FROM `events`" in sql]


def test_the_events_of_a_draft_are_published_and_those_of_a_deleted_one_are_forgotten(api, settings):
    settings.EVENTS_URL = "redis://127.0.0.1:1/0"
    draft = api.post("/orders", {}).json()["order_id"]
    api.post(f"/orders/{draft}/items", {"book_id": "book-123", "quantity": 1})
    assert pointed_at(draft) == [1]
    with CaptureQueriesContext(connection) as queries:
        assert api.delete(f"/orders/{draft}").status_code == 204
    assert not Event.objects.filter(aggregate_id=UUID(draft)).exists()
    assert not [query for query in queries if "outbox" in query["sql"]], "it may be long while the stream is dead"
