"""Events that are recorded outside the saga, at moments at which its driver does not expect them."""

import re
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloudmart.database.transactions import durable
from cloudmart.providers.outcomes import Unknown
from orders.models import SagaStyle
from sagas.desk.engine import engine
from sagas.events import EventType, record
from sagas.locks import lock_saga
from sagas.models import Event, SagaInstance, State
from shipping.carriers.mock import MockCarrier
from tests.bookkeeping import findings
from tests.committed import run_worker_after_leases_expire
from tests.conftest import order_snapshot
from tests.integration.test_races import all_at_once

STRANGE = EventType.ITEM_ADDED
"""An event that no saga publishes."""


@pytest.fixture(autouse=True)
def books(customer, shelve):
    shelve("book-123", 50)


@durable
def record_strange(order_id: UUID) -> None:
    lock_saga(order_id)
    record(order_id, STRANGE, {})


def types_of(order_id):
    return list(Event.objects.filter(aggregate_id=order_id).order_by("seq").values_list("event_type", flat=True))


@pytest.mark.parametrize("style", SagaStyle)
def test_an_event_that_is_recorded_during_a_provider_call_disturbs_no_saga(style, monkeypatch):
    order = order_snapshot(("book-123", 1), style=style)
    arrange = MockCarrier.arrange

    def record_and_arrange(*args, **kwargs):
        record_strange(order.order_id)
        return arrange(*args, **kwargs)

    monkeypatch.setattr(MockCarrier, "arrange", record_and_arrange)
    assert engine.start(order).status == State.COMPLETED
    before, after = ["OrderCreated", "StockReserved", "PaymentCompleted"], ["ShippingArranged", "StockConfirmed"]
    published = [*before, STRANGE, *after, "OrderCompleted"] if style == SagaStyle.CHOREOGRAPHY else [STRANGE]
    assert types_of(order.order_id) == published
    assert findings() == {}


@pytest.mark.parametrize("style", SagaStyle)
def test_an_event_that_is_recorded_after_the_end_does_not_hinder_the_cancellation(style):
    saga = engine.start(order_snapshot(("book-123", 1), style=style))
    record_strange(saga.order_id)
    assert engine.cancel(saga.order_id, "Changed my mind.", "customer-001").status == State.FAILED
    assert findings() == {}


def test_the_step_of_a_waiting_saga_is_the_event_that_it_has_published_last(monkeypatch):
    saga = engine.start(order_snapshot(("book-123", 1), style=SagaStyle.CHOREOGRAPHY))
    monkeypatch.setattr(MockCarrier, "cancel", lambda *args, **kwargs: Unknown("unknown"))
    step = engine.cancel(saga.order_id, "Changed my mind.", "customer-001").current_step
    record_strange(saga.order_id)
    run_worker_after_leases_expire()
    assert types_of(saga.order_id)[-2:] == [STRANGE, EventType.ATTEMPT_FAILED], "it has tried again, and waits"
    assert SagaInstance.objects.get().current_step == step == EventType.STOCK_RELEASED


def test_events_that_are_recorded_at_the_same_time_are_numbered_without_a_gap():
    order_id = engine.start(order_snapshot(("book-123", 1))).order_id
    all_at_once([lambda: record_strange(order_id)] * 8)
    assert list(Event.objects.order_by("seq").values_list("seq", flat=True)) == [*range(1, 9)]


@pytest.mark.parametrize("style", SagaStyle)
def test_a_confirmed_draft_costs_one_statement_more_than_an_order(api, style):
    """In orchestration it inserts OrderConfirmed. In choreography it reads how many events the draft has."""
    body = {"saga": style, "payment_method": "credit_card"}
    path = api.post("/orders", body)["Location"]
    api.post(f"{path}/items", {"book_id": "book-123", "quantity": 1})

    def statements_on_events(place):
        with CaptureQueriesContext(connection) as queries:
            assert place().status_code in {200, 201}
        return sum(bool(re.search(r"(INTO|FROM|UPDATE) .events.", query["sql"])) for query in queries)

    ordinary = statements_on_events(lambda: api.post("/orders", {**body, "book_id": "book-123", "quantity": 1}))
    assert bool(ordinary) == (style == SagaStyle.CHOREOGRAPHY)
    assert statements_on_events(lambda: api.post(f"{path}/confirm")) == ordinary + 1


def test_recording_an_event_is_one_statement():
    order_id = engine.start(order_snapshot(("book-123", 1))).order_id
    with CaptureQueriesContext(connection) as queries:
        record_strange(order_id)
    written = [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    read = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert len(written) == 1 and len(read) == 1, "the lock, and the event"
