"""Events are passed on to the consumers in this database once and in order, whatever fails or comes late."""

from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DataError, connection, connections, transaction

from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.outbox import consumers
from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer, EventSequence, OutboxConsumer, OutboxEvent
from cloudmart.outbox.recording import ORDER, record
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.models import WebhookAttempt, WebhookDelivery
from cloudmart.webhooks.recording import receive as record_deliveries
from orders.models import Mail, SagaStyle
from sagas.desk import mails
from sagas.desk.engine import engine
from sagas.desk.mails import record_mails
from sagas.operations.parcels import mark_as_shipped
from tests.conftest import order_snapshot
from tests.integration.test_races import all_at_once
from tests.processes import TIMEOUT
from tests.rounds import rounds

STYLES = pytest.mark.parametrize("style", SagaStyle)


@pytest.fixture(autouse=True)
def books(customer, shelve):
    shelve("book-123", 50)


def place(style=SagaStyle.ORCHESTRATION, **changes):
    return engine.start(order_snapshot(("book-123", 1), style=style, **changes)).order_id


@durable
def record_outcome(order_id):
    record(EventType.ORDER_COMPLETED, ORDER, order_id, {})


def mailed(order_id):
    return list(Mail.objects.filter(order=order_id).order_by("created_at").values_list("outcome", flat=True))


@contextmanager
def broken_mail():
    """The mail receives nothing within the block."""

    def fails(events):
        raise ZeroDivisionError("the mail is broken")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mails, "receive", fails)
        yield


class Collected:
    """A consumer that keeps the events of transactions that were committed."""

    def __init__(self):
        self.events = []

    def receive(self, events):
        transaction.on_commit(lambda: self.events.extend(events))

    def pass_on(self):
        return pass_on(Consumer.WEBHOOKS, self.receive)

    @property
    def positions(self):
        return [event.position for event in self.events]


# --- Failures -----------------------------------------------------------------------------------------


@STYLES
def test_a_failing_mail_delays_neither_orders_nor_webhooks(style):
    with broken_mail():
        orders = [place(style) for _ in range(3)]
        collected = Collected()
        assert record_mails() == 0 and collected.pass_on() == 3
        failing = OutboxConsumer.objects.get(name=Consumer.MAIL)
        assert failing.error == "ZeroDivisionError: the mail is broken" and failing.failing_since
        assert not Mail.objects.exists() and OutboxEvent.objects.filter(for_mail=True).count() == 3
    assert record_mails() == 3 and not OutboxEvent.objects.exists()
    assert [mailed(order_id) for order_id in orders] == [["completed"]] * 3
    assert OutboxConsumer.objects.get(name=Consumer.MAIL).failing_since is None


@pytest.mark.parametrize("error", [ZeroDivisionError("poison"), DataError("poison")])
def test_an_event_that_cannot_be_received_holds_up_its_subject_only(error, monkeypatch):
    poisoned, other = place(), place()
    mark_as_shipped(poisoned)
    mark_as_shipped(other)
    receive = mails.receive

    def fails(events):
        if any(event.subject == str(poisoned) and event.sequence == 1 for event in events):
            raise error
        receive(events)

    with monkeypatch.context() as patch:
        patch.setattr(mails, "receive", fails)
        assert record_mails() == 2 and record_mails() == 0
        assert mailed(other) == ["completed", "shipped"] and mailed(poisoned) == []
    assert record_mails() == 2
    assert mailed(poisoned) == ["completed", "shipped"]


@pytest.fixture
def fails_for(monkeypatch):
    """Has the mail fail as long as an event of these subjects is among those that it receives."""

    def fails_for(*poisoned):
        def fails(events):
            if {event.subject for event in events} & set(map(str, poisoned)):
                raise ZeroDivisionError("poison")

        monkeypatch.setattr(mails, "receive", fails)

    return fails_for


def test_more_failing_subjects_than_a_batch_has_hold_up_no_other(fails_for, monkeypatch):
    monkeypatch.setattr(consumers, "BATCH", 3)
    poisoned, others = [new_id() for _ in range(4)], [new_id() for _ in range(7)]
    for order_id in [*poisoned * 2, *others, *poisoned]:
        record_outcome(order_id)
    fails_for(*poisoned)
    assert record_mails() == 7
    assert set(pending_subjects()) == set(map(str, poisoned)) and len(pending_subjects()) == 12
    fails_for()
    assert record_mails() == 12 and pending_subjects() == []


def test_a_run_ends_if_the_consumer_fails_for_too_many_subjects(fails_for, monkeypatch):
    monkeypatch.setattr(consumers, "BATCH", 3)
    monkeypatch.setattr(consumers, "MOST_FAILING", 6)
    poisoned = [new_id() for _ in range(9)]
    for order_id in poisoned:
        record_outcome(order_id)
    fails_for(*poisoned)
    record_outcome(new_id())
    assert record_mails() == 0


def test_a_batch_that_fails_only_as_a_whole_leaves_no_failure(monkeypatch):
    def fails(events):
        assert len(events) == 1

    for _ in range(2):
        record_outcome(new_id())
    monkeypatch.setattr(mails, "receive", fails)
    assert record_mails() == 2 and OutboxConsumer.objects.get(name=Consumer.MAIL).failing_since is None


def pending_subjects():
    return list(OutboxEvent.objects.filter(for_mail=True).values_list("subject", flat=True))


def test_a_mail_that_an_earlier_version_has_recorded_is_recorded_once():
    order_id, other = place(), place()
    record_mails()
    sent = Mail.objects.get(order=order_id)
    OutboxEvent.objects.update(for_mail=True)
    Mail.objects.filter(order=other).delete()
    assert record_mails() == 2
    assert mailed(order_id) == mailed(other) == ["completed"]
    assert Mail.objects.get(order=order_id).pk == sent.pk


# --- Order --------------------------------------------------------------------------------------------


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_an_event_that_is_committed_late_is_passed_on():
    early, late = new_id(), new_id()
    recorded, released = Event(), Event()

    def record_late():
        with transaction.atomic(durable=True):
            record(EventType.ORDER_COMPLETED, ORDER, late, {})
            assert OutboxEvent.objects.filter(subject=str(late)).exists()
            recorded.set()
            assert released.wait(TIMEOUT)
        connections.close_all()

    thread, collected = Thread(target=record_late), Collected()
    thread.start()
    assert recorded.wait(TIMEOUT)
    record_outcome(early)
    assert collected.pass_on() == 1, "the other one is not committed"
    released.set()
    thread.join()
    assert collected.pass_on() == 1
    assert [event.subject for event in collected.events] == [str(early), str(late)]
    assert collected.positions[1] < collected.positions[0]


def test_workers_at_once_pass_each_event_on_once_and_in_order(monkeypatch):
    monkeypatch.setattr(consumers, "BATCH", 3)
    for _ in range(rounds(2, ci=10)):
        collected, orders = Collected(), [new_id() for _ in range(4)]
        jobs = [partial(record_all, orders * 4) for _ in range(2)]
        all_at_once([*jobs, *[collected.pass_on] * 3])
        collected.pass_on()
        for order_id in orders:
            numbers = [event.sequence for event in collected.events if event.subject == str(order_id)]
            assert numbers == list(range(1, 9))
        assert not OutboxEvent.objects.filter(for_webhooks=True).exists()


def record_all(order_ids):
    for order_id in order_ids:
        record_outcome(order_id)


# --- Rows ---------------------------------------------------------------------------------------------


def test_a_row_goes_when_the_last_consumer_has_it(settings):
    settings.EVENTS_URL = "redis://127.0.0.1:1/0"
    place()
    for consumer in (Consumer.STREAM, Consumer.MAIL, Consumer.WEBHOOKS):
        assert OutboxEvent.objects.filter(**{consumer.column: True}).count() == OutboxEvent.objects.count() == 1
        assert pass_on(consumer, lambda events: None) == 1
    assert not OutboxEvent.objects.exists()


def rows():
    """Returns how many rows each table has."""
    return {model: model._default_manager.count() for model in apps.get_models()}


BEYOND = {EventSequence: 1, OutboxEvent: 0, WebhookDelivery: 0, WebhookAttempt: 0, Mail: 1}
"""The rows that an order leaves since events leave the shop, and the mail that it had before."""


@STYLES
def test_with_nothing_configured_an_order_leaves_one_row_more(style):
    place(style)
    finish_work()
    before = rows()
    place(style)
    during = {model: number - before[model] for model, number in rows().items()}
    assert (during[OutboxEvent], during[EventSequence], during[Mail]) == (1, 1, 0), "it was a mail before"
    finish_work()
    after = {model: number - before[model] for model, number in rows().items()}
    assert {model: after[model] for model in BEYOND} == BEYOND
    changed = {model for model, number in after.items() if model not in BEYOND and number != during[model]}
    assert {model._meta.label for model in changed} <= {"inventory.StockEvent", "sagas.OrderHour"}


def finish_work():
    call_command("run_worker", once=True)
    pass_on(Consumer.WEBHOOKS, record_deliveries)
