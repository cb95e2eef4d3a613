"""Events that are recorded outside the saga, at moments at which its driver does not expect them."""

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloudmart.database.transactions import durable
from orders.models import SagaStyle
from sagas.desk.engine import engine
from sagas.events import EventType, record
from sagas.locks import lock_saga
from sagas.models import Event, SagaInstance, State
from sagas.operations.audit.audit import audit
from shipping.carriers.mock import MockCarrier
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
    assert not [finding for finding in audit(limit=5) if not finding.holds]


@pytest.mark.parametrize("style", SagaStyle)
def test_an_event_that_is_recorded_after_the_end_does_not_hinder_the_cancellation(style):
    saga = engine.start(order_snapshot(("book-123", 1), style=style))
    step = saga.current_step
    record_strange(saga.order_id)
    assert engine.cancel(saga.order_id, "Changed my mind.", "customer-001").status == State.FAILED
    assert step != STRANGE and SagaInstance.objects.get().current_step != STRANGE
    assert not [finding for finding in audit(limit=5) if not finding.holds]


def test_events_that_are_recorded_at_the_same_time_are_numbered_without_a_gap():
    order_id = engine.start(order_snapshot(("book-123", 1))).order_id
    all_at_once([lambda: record_strange(order_id)] * 8)
    assert list(Event.objects.order_by("seq").values_list("seq", flat=True)) == [*range(1, 9)]


def test_recording_an_event_is_one_statement():
    order_id = engine.start(order_snapshot(("book-123", 1))).order_id
    with CaptureQueriesContext(connection) as queries:
        record_strange(order_id)
    written = [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    read = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert len(written) == 1 and len(read) == 1, "the lock, and the event"
