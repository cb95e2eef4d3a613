"""Webhooks to real receivers: signed, in order, at least once, whatever the receivers and the workers do."""

import json
import re
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from standardwebhooks.webhooks import Webhook

from cloudmart.database.clock import NOW
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import IllegalMove
from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer, OutboxEvent
from cloudmart.outbox.recording import BOOK, ORDER, record
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.endpoints import GONE, SILENT, disable, enable, resend, rotate_secret
from cloudmart.webhooks.metrics import Webhooks
from cloudmart.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.queue import acquire, delete_old, due_endpoints, fail_stranded, store
from cloudmart.webhooks.recording import receive, record_test
from cloudmart.webhooks.registration import change, delete_left, remove
from cloudmart.webhooks.responses import Answer
from cloudmart.webhooks.secrets import new_secret
from cloudmart.webhooks.sending import Sender
from tests.clock import database_clock
from tests.integration.test_races import all_at_once
from tests.processes import running_command, wait_until
from tests.receivers import running_receiver

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def long_waits(settings):
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    settings.WEBHOOK_TIMEOUT = 1
    settings.WEBHOOK_BACKOFF = settings.WEBHOOK_MAX_BACKOFF = HOUR


@pytest.fixture
def receiver(tmp_path):
    with running_receiver(tmp_path) as receiver:
        yield receiver


@pytest.fixture
def sender():
    sender = Sender()
    yield sender
    sender.close()


@pytest.fixture
def endpoint(receiver):
    return new_endpoint(receiver.url())


def new_endpoint(url, *event_types):
    return WebhookEndpoint.objects.create(url=url, event_types=event_types, secret=new_secret())


@durable
def decide(*subjects, event_type=EventType.ORDER_COMPLETED, aggregate=ORDER):
    for subject in subjects:
        record(event_type, aggregate, subject, {"title": "坊っちゃん"})


def pass_events_on():
    return pass_on(Consumer.WEBHOOKS, receive)


def recorded(*subjects):
    """Records an event of each subject, and the deliveries of these events."""
    decide(*subjects)
    pass_events_on()


def make_due():
    WebhookDelivery.objects.filter(status="pending").update(due_at=NOW - timedelta(seconds=1))
    WebhookEndpoint.objects.update(due_at=NOW - timedelta(seconds=1))


def statuses(**filters):
    return dict(Counter(WebhookDelivery.objects.filter(**filters).values_list("status", flat=True)))


# --- Recording ------------------------------------------------------------------------------------


def test_each_enabled_endpoint_gets_the_types_that_it_wants():
    everything, books = new_endpoint("http://a.test/"), new_endpoint("http://b.test/", "stock.low")
    disable(new_endpoint("http://c.test/"))
    decide("order-1")
    decide("book-123", event_type=EventType.STOCK_LOW, aggregate=BOOK)
    assert pass_events_on() == 2 and pass_events_on() == 0
    found = WebhookDelivery.objects.order_by("position").values_list("endpoint", "event_type", "subject")
    assert sorted(found) == sorted(
        [
            (everything.pk, "order.completed", "order-1"),
            (everything.pk, "stock.low", "book-123"),
            (books.pk, "stock.low", "book-123"),
        ]
    )


def test_many_events_are_recorded_in_their_order():
    endpoint = new_endpoint("http://a.test/")
    subjects = [f"order-{n}" for n in range(120)]
    recorded(*subjects)
    assert list(endpoint.deliveries.order_by("position").values_list("subject", flat=True)) == subjects


def test_without_an_endpoint_nothing_is_recorded(django_assert_num_queries):
    decide("order-1")
    events = list(OutboxEvent.objects.all())
    with transaction.atomic(), django_assert_num_queries(1):
        receive(events)
    assert not WebhookDelivery.objects.exists()


# --- Sending --------------------------------------------------------------------------------------


def test_a_webhook_is_a_signed_cloud_event(receiver, endpoint, sender):
    recorded("order-1")
    assert sender.send_due() == 1 and sender.send_due() == 0
    (webhook,) = receiver.accepted()
    delivery = WebhookDelivery.objects.get()
    assert webhook.event["data"] == {"title": "坊っちゃん"} and webhook.event["sequence"] == "0000000001"
    assert webhook.id == webhook.event["id"] == str(delivery.event_id) and webhook.body == delivery.body
    assert webhook.headers["content-type"] == "application/cloudevents+json"
    assert webhook.headers["user-agent"] == "CloudMart"
    assert Webhook(endpoint.secret).verify(webhook.body, webhook.headers) == json.loads(delivery.body)
    assert (delivery.status, delivery.attempts) == ("delivered", 1) and delivery.delivered_at
    (attempt,) = delivery.log.all()
    assert (attempt.status_code, attempt.error) == (204, "")


def test_both_secrets_sign_after_a_rotation_until_the_previous_one_expires(receiver, endpoint, sender):
    old, new = endpoint.secret, rotate_secret(endpoint)
    recorded("order-1")
    sender.send_due()
    (webhook,) = receiver.accepted()
    for secret in (old, new):
        Webhook(secret).verify(webhook.body, webhook.headers)
    WebhookEndpoint.objects.update(previous_secret_until=NOW)
    recorded("order-2")
    sender.send_due()
    assert " " not in receiver.accepted()[1].headers["webhook-signature"]


def test_a_test_event_is_sent_to_its_endpoint_only(receiver, endpoint, sender):
    other = new_endpoint(receiver.url())
    delivery = record_test(endpoint)
    assert sender.send_due() == 1
    (webhook,) = receiver.accepted()
    assert (webhook.event["type"], webhook.event["data"]) == ("test", {"endpoint_id": str(endpoint.pk)})
    assert webhook.id == str(delivery.event_id) and not other.deliveries.exists()


def test_the_events_of_a_subject_arrive_in_their_order(receiver, endpoint, sender):
    for _ in range(5):
        recorded(*(f"order-{n}" for n in range(30)))
    assert sender.send_due() == 150
    by_subject: dict[str, list[str]] = {}
    for webhook in receiver.accepted():
        by_subject.setdefault(webhook.event["subject"], []).append(webhook.event["sequence"])
    assert set(map(tuple, by_subject.values())) == {tuple(f"{n:010}" for n in range(1, 6))} and len(by_subject) == 30


def test_a_delivery_waits_for_the_earlier_ones_of_its_subject_only(receiver, endpoint, sender):
    recorded("order-1", "order-1", "order-2")
    first = WebhookDelivery.objects.order_by("position").first()
    WebhookDelivery.objects.filter(pk=first.pk).update(due_at=NOW + HOUR)
    assert sender.send_due() == 1
    assert [webhook.event["subject"] for webhook in receiver.accepted()] == ["order-2"]
    waiting = WebhookDelivery.objects.filter(subject="order-1").values_list("due_at", flat=True)
    assert len(set(waiting)) == 1, "the second is no longer due"
    make_due()
    assert sender.send_due() == 2
    assert [webhook.event["sequence"] for webhook in receiver.accepted()[1:]] == ["0000000001", "0000000002"]


# --- Receivers that fail --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "status_code", "error"),
    [
        ("error", 500, ""),
        ("redirect", 307, ""),
        ("hang", None, "ReadTimeout"),
        ("drip", None, "ReadTimeout"),
        ("close", None, "RemoteProtocolError"),
        ("garbage", None, "ProtocolError|ResponseTooLarge"),
        ("endless", None, "ResponseTooLarge"),
    ],
)
def test_what_is_not_accepted_is_sent_again_later(receiver, endpoint, sender, behaviour, status_code, error):
    receiver.behave(behaviour)
    recorded("order-1")
    assert sender.send_due() == 0
    delivery = WebhookDelivery.objects.get()
    attempt = WebhookAttempt.objects.get()
    assert (delivery.status, delivery.attempts, attempt.status_code) == ("pending", 1, status_code)
    assert re.search(error, attempt.error)
    assert HOUR / 2 - timedelta(seconds=5) < delivery.due_at - attempt.at <= HOUR + timedelta(seconds=5)
    assert sender.send_due() == 0 and len(receiver.received()) == 1, "it waits, and no redirect is followed"
    receiver.behave("accept")
    make_due()
    assert sender.send_due() == 1
    assert {webhook.id for webhook in receiver.received()} == {str(delivery.event_id)}
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since) == (0, None)


def test_a_receiver_that_is_not_there_is_tried_later(endpoint, sender, receiver):
    receiver.kill()
    recorded("order-1", "order-2")
    assert sender.send_due() == 0
    assert "ConnectError" in WebhookAttempt.objects.first().error
    receiver.start()
    make_due()
    assert sender.send_due() == 2


def test_a_failing_endpoint_is_tried_with_one_delivery_until_it_accepts_one(receiver, endpoint, sender):
    receiver.behave("error")
    recorded(*(f"order-{n}" for n in range(20)))
    sender.send_due()
    tried = len(receiver.received())
    assert 1 <= tried <= 4 and statuses() == {"pending": 20}
    endpoint.refresh_from_db()
    assert endpoint.failures == 1 and endpoint.failing_since
    make_due()
    sender.send_due()
    assert len(receiver.received()) == tried + 1
    receiver.behave("accept")
    WebhookEndpoint.objects.update(due_at=NOW)
    assert sender.send_due() == 20, "those that were tried wait no longer"


def test_an_endpoint_waits_longer_after_each_failure(receiver, endpoint, sender, settings):
    settings.WEBHOOK_BACKOFF, settings.WEBHOOK_MAX_BACKOFF = timedelta(minutes=1), 10 * HOUR
    receiver.behave("error")
    recorded("order-1")
    waits = []
    for _ in range(4):
        make_due()
        sender.send_due()
        endpoint.refresh_from_db()
        attempt = WebhookAttempt.objects.order_by("pk").last()
        waits.append((endpoint.due_at - attempt.at) / timedelta(minutes=1))
    assert all(most / 2 <= wait <= most + 0.1 for wait, most in zip(waits, [1, 2, 4, 8], strict=True)), waits


def test_an_endpoint_that_is_gone_is_disabled_at_once(receiver, endpoint, sender):
    receiver.behave("gone")
    recorded("order-1", "order-2", "order-2")
    sender.send_due()
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.disabled_reason) == ("disabled", GONE) and endpoint.disabled_at
    assert statuses() == {"failed": 3}
    recorded("order-3")
    assert statuses() == {"failed": 3}


def test_an_endpoint_that_accepts_nothing_for_three_days_is_disabled(receiver, endpoint, sender, settings):
    receiver.behave("error")
    recorded("order-1")
    sender.send_due()
    almost = NOW - settings.WEBHOOK_RETRY_FOR + timedelta(minutes=5)
    WebhookEndpoint.objects.update(failing_since=almost)
    make_due()
    sender.send_due()
    assert statuses() == {"pending": 1}
    WebhookEndpoint.objects.update(failing_since=NOW - settings.WEBHOOK_RETRY_FOR)
    make_due()
    sender.send_due()
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.disabled_reason) == ("disabled", SILENT)
    assert statuses() == {"failed": 1}


def test_a_delivery_fails_after_three_days_and_its_subject_continues(receiver, endpoint, sender):
    recorded("order-1", "order-1")
    first, second = WebhookDelivery.objects.order_by("position")
    WebhookDelivery.objects.filter(pk=first.pk).update(retry_until=NOW)
    receiver.behave("error")
    sender.send_due()
    first.refresh_from_db()
    assert first.status == "failed"
    receiver.behave("accept")
    make_due()
    assert sender.send_due() == 1
    second.refresh_from_db()
    assert second.status == "delivered"


def attempted(batch, **answer):
    """The first delivery of the batch with this answer."""
    now = batch.endpoint.read_at
    return [(batch.chains[0][0], Answer(now, 1, **answer))]


def acquired():
    (endpoint,) = due_endpoints(10)
    batch = acquire(endpoint)
    assert batch
    return batch


@pytest.mark.parametrize("status_code", [400, 413, 422])
def test_a_content_that_is_refused_stops_no_other_subject(endpoint, sender, receiver, status_code):
    recorded("order-1", "order-2")
    batch = acquired()
    assert store(batch.endpoint, attempted(batch, status_code=status_code))
    endpoint.refresh_from_db()
    assert endpoint.failures == 0 and endpoint.failing_since
    assert sender.send_due() == 1
    assert statuses() == {"pending": 1, "delivered": 1}


@pytest.mark.parametrize(("asked", "waits"), [(timedelta(minutes=30), 30), (timedelta(days=9), 60)])
def test_retry_after_is_respected_within_the_longest_backoff(endpoint, settings, asked, waits):
    settings.WEBHOOK_BACKOFF = timedelta(seconds=1)
    recorded("order-1")
    batch = acquired()
    store(batch.endpoint, attempted(batch, status_code=429, retry_after=asked))
    for row in (WebhookEndpoint.objects.get(), WebhookDelivery.objects.get()):
        assert abs(row.due_at - batch.endpoint.read_at - timedelta(minutes=waits)) < timedelta(seconds=30)


def test_receivers_that_fail_delay_no_other_endpoint(receiver, endpoint, sender, settings):
    settings.WEBHOOK_TIMEOUT = 3
    for behaviour in ("hang", "drip", "garbage", "endless", "error", "redirect"):
        new_endpoint(receiver.url(behaviour))
    recorded(*(f"order-{n}" for n in range(10)))
    assert sender.send_due() == 10
    times = endpoint.deliveries.values_list("created_at", "delivered_at")
    assert all(delivered - created < timedelta(seconds=2) for created, delivered in times)


@pytest.mark.slow
def test_slow_receivers_get_half_of_the_requests_at_most(receiver, sender, settings):
    settings.WEBHOOK_SENDERS, settings.WEBHOOK_TIMEOUT = 2, 5
    slow = [new_endpoint(receiver.url("slow")) for _ in range(3)]
    recorded("order-1")
    assert sender.send_due() == 3, "their slowness is known"
    fast = new_endpoint(receiver.url("accept"))
    recorded("order-2")
    assert sender.send_due() == 4
    first_slow = WebhookDelivery.objects.filter(endpoint__in=slow, subject="order-2").earliest("delivered_at")
    assert fast.deliveries.get().delivered_at < first_slow.delivered_at


def test_a_worker_with_one_thread_tries_a_failing_endpoint_again(receiver, endpoint, sender, settings):
    settings.WEBHOOK_SENDERS = 1
    receiver.behave("error")
    recorded("order-1")
    assert sender.send_due() == 0
    receiver.behave("accept")
    make_due()
    assert sender.send_due() == 1


# --- Workers --------------------------------------------------------------------------------------


def test_one_worker_at_a_time_sends_to_an_endpoint(endpoint):
    recorded("order-1", "order-2")
    first, second = due_endpoints(10)[0], due_endpoints(10)[0]
    assert acquire(first) and not acquire(second)
    assert due_endpoints(10) == []
    make_due()  # the lease has expired
    assert not acquire(second), "it was read before the endpoint was acquired"
    assert acquire(due_endpoints(10)[0])


def test_endpoints_that_do_not_fail_come_first(endpoint):
    other = new_endpoint(endpoint.url)
    recorded("order-1")
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=1, due_at=NOW - HOUR)
    assert due_endpoints(1) == [other] and due_endpoints(2) == [other, endpoint]


def test_a_worker_whose_lease_has_expired_stores_nothing(endpoint, sender):
    recorded("order-1")
    batch = acquired()
    make_due()  # the lease has expired
    assert sender.send_due() == 1
    assert not store(batch.endpoint, attempted(batch, status_code=500))
    assert statuses() == {"delivered": 1} and WebhookAttempt.objects.count() == 1


# --- Operators ------------------------------------------------------------------------------------


def test_what_is_resent_has_the_same_id(receiver, endpoint, sender):
    recorded("order-1")
    delivery = WebhookDelivery.objects.get()
    with pytest.raises(IllegalMove):
        resend(delivery.pk)
    sender.send_due()
    resend(delivery.pk)
    assert sender.send_due() == 1
    first, second = receiver.accepted()
    assert first.id == second.id and first.body == second.body
    delivery.refresh_from_db()
    assert (delivery.attempts, delivery.resends, delivery.log.count()) == (1, 1, 2)


def test_nothing_is_kept_for_a_disabled_endpoint(receiver, endpoint, sender):
    recorded("order-1")
    disable(endpoint, "Moves to another host.")
    recorded("order-2")
    assert statuses() == {"failed": 1} and sender.send_due() == 0
    with pytest.raises(IllegalMove):
        resend(WebhookDelivery.objects.get().pk)
    with pytest.raises(IllegalMove):
        record_test(endpoint)
    with pytest.raises(IllegalMove):
        disable(endpoint)
    enable(endpoint)
    assert (endpoint.status, endpoint.disabled_reason, endpoint.disabled_at) == ("enabled", "", None)
    recorded("order-3")
    assert sender.send_due() == 1
    assert [webhook.event["subject"] for webhook in receiver.received()] == ["order-3"]


def test_what_was_accepted_while_its_endpoint_was_disabled_is_delivered(endpoint):
    recorded("order-1", "order-2")
    batch = acquired()
    disable(endpoint)
    first, second = (chain[0] for chain in batch.chains)
    now = batch.endpoint.read_at
    assert store(batch.endpoint, [(first, Answer(now, 1, 200)), (second, Answer(now, 1, 500))])
    assert statuses() == {"delivered": 1, "failed": 1}


def test_deliveries_that_were_recorded_while_their_endpoint_was_disabled_fail(endpoint):
    recorded("order-1")
    WebhookEndpoint.objects.update(status="disabled")
    assert fail_stranded() == 1 and fail_stranded() == 0
    assert statuses() == {"failed": 1}


def test_old_deliveries_are_deleted_with_their_attempts(endpoint, sender, settings):
    recorded("order-1", "order-2")
    sender.send_due()
    assert delete_old(10) == 0
    old = WebhookDelivery.objects.order_by("pk").first()
    WebhookDelivery.objects.filter(pk=old.pk).update(created_at=NOW - settings.WEBHOOK_RETENTION - HOUR)
    assert delete_old(10) == 1 and delete_old(10) == 0
    assert WebhookDelivery.objects.get().log.count() == WebhookAttempt.objects.count() == 1


@pytest.mark.parametrize("act", ["test", "resend", "change"])
def test_an_operator_ends_the_wait_of_a_failing_endpoint(receiver, endpoint, sender, act):
    recorded("order-1")
    sender.send_due()
    receiver.behave("error")
    recorded("order-2")
    assert sender.send_due() == 0 and due_endpoints(10) == []
    if act == "test":
        record_test(endpoint)
    elif act == "resend":
        resend(WebhookDelivery.objects.get(subject="order-1").pk)
    else:
        change(endpoint, {"url": receiver.url("accept")})
    receiver.behave("accept")
    assert sender.send_due() == (1 if act == "change" else 2), "order-2 does not wait any longer either"


def test_a_test_event_does_not_end_the_lease_of_a_worker(endpoint):
    recorded("order-1")
    acquired()
    record_test(endpoint)
    assert due_endpoints(10) == []


def test_an_old_delivery_that_is_resent_is_kept_until_it_is_concluded(endpoint, sender, settings):
    recorded("order-1")
    sender.send_due()
    WebhookDelivery.objects.update(created_at=NOW - settings.WEBHOOK_RETENTION - HOUR)
    resend(WebhookDelivery.objects.get().pk)
    assert delete_old(10) == 0
    sender.send_due()
    assert delete_old(10) == 1


def test_a_worker_deletes_what_a_deleted_endpoint_has_left(endpoint, sender, monkeypatch):
    other = new_endpoint(endpoint.url)
    recorded("order-1", "order-2", "order-3")
    sender.send_due()
    monkeypatch.setattr("cloudmart.webhooks.registration.AT_ONCE", 1)
    remove(endpoint.pk)
    assert endpoint.deliveries.count() == 2, "the deletion does not wait for all of them"
    call_command("run_worker", "--once")
    assert statuses() == {"delivered": 3} and other.deliveries.count() == WebhookAttempt.objects.count() == 3
    assert delete_left(10) == 0


# --- Time, and processes that die ------------------------------------------------------------------


def test_an_endpoint_that_is_down_for_three_days_is_tried_ever_more_rarely_then_disabled(
    receiver, endpoint, sender, settings
):
    settings.WEBHOOK_BACKOFF, settings.WEBHOOK_MAX_BACKOFF = timedelta(seconds=5), HOUR
    receiver.behave("error")
    endpoint.refresh_from_db()
    began, clock = endpoint.created_at, Clock(endpoint.created_at)
    with database_clock(lambda: clock.now):
        recorded("order-1", "order-1", "order-2")
        sender.send_due()
        while statuses().get("pending") and clock.now - began < timedelta(days=4):
            first = WebhookDelivery.objects.earliest("due_at")
            clock.now = max(endpoint.due_at, first.due_at, clock.now) + timedelta(seconds=1)
            sender.send_due()
            endpoint.refresh_from_db()
    assert timedelta(days=3) <= clock.now - began < timedelta(days=3, hours=2)
    assert 72 <= len(receiver.received()) <= 200
    assert statuses() == {"failed": 3} and endpoint.disabled_reason == SILENT
    assert {webhook.event["subject"] for webhook in receiver.received()} == {"order-1", "order-2"}
    assert {webhook.event["sequence"] for webhook in receiver.received()} == {"0000000001"}, "the second has waited"


@dataclass
class Clock:
    now: datetime


@pytest.mark.slow
def test_a_webhook_is_sent_again_if_its_worker_is_killed_before_it_has_stored_the_response(receiver, endpoint, sender):
    recorded("order-1")
    with running_command("run_worker", WEBHOOK_PRIVATE_ADDRESSES="true", WEBHOOK_TIMEOUT="30") as worker:
        with receiver.stopped():
            wait_until(lambda: WebhookEndpoint.objects.get().fence == 1)
            locked = ExitStack()
            locked.enter_context(transaction.atomic())
            WebhookEndpoint.objects.update(description="locked by the test")
        wait_until(receiver.accepted)
        worker.kill()
        worker.wait()
        locked.close()
    assert statuses() == {"pending": 1} and not WebhookAttempt.objects.exists()
    make_due()  # the lease has expired
    assert sender.send_due() == 1
    assert [webhook.id for webhook in receiver.accepted()] == [str(WebhookDelivery.objects.get().event_id)] * 2


def test_workers_at_once_send_each_webhook_once_and_in_order(receiver, endpoint):
    for _ in range(3):
        recorded(*(f"order-{n}" for n in range(100)))
    senders = [Sender() for _ in range(3)]
    accepted = all_at_once([each.send_due for each in senders])
    assert sum(accepted) == len(receiver.accepted()) == 300
    by_subject: dict[str, list[str]] = {}
    for webhook in receiver.accepted():
        by_subject.setdefault(webhook.event["subject"], []).append(webhook.event["sequence"])
    assert all(sequences == sorted(set(sequences)) for sequences in by_subject.values())
    for each in senders:
        each.close()


def test_a_worker_that_runs_once_leaves_no_thread_and_no_connection(receiver, endpoint):
    before = threading.enumerate()
    decide("order-1")
    call_command("run_worker", once=True)
    assert len(receiver.accepted()) == 1
    assert threading.enumerate() == before, "a connection that is left open fails the test as a warning"


@pytest.mark.slow
def test_a_worker_sends_the_webhooks_of_orders_while_another_receiver_hangs(receiver, endpoint, api, shelve, customer):
    shelve("book-123", 10)
    new_endpoint(receiver.url("hang"))
    with running_command("run_worker", WEBHOOK_PRIVATE_ADDRESSES="true"):
        for n in range(10):
            decide(f"order-{n}")
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
        assert api.post("/orders", body).status_code == 201
        wait_until(lambda: len(receiver.accepted()) >= 10)
        wait_until(lambda: statuses(endpoint=endpoint).get("pending", 0) == 0)
    times = endpoint.deliveries.values_list("created_at", "delivered_at")
    assert all(delivered - created < timedelta(seconds=5) for created, delivered in times)


# --- Metrics --------------------------------------------------------------------------------------


def test_endpoints_and_pending_deliveries_are_counted(endpoint):
    recorded("order-1", "order-2")
    new_endpoint("http://b.test/")
    disable(new_endpoint("http://c.test/"))
    WebhookEndpoint.objects.filter(url="http://b.test/").update(failing_since=NOW, failures=1)
    WebhookDelivery.objects.filter(subject="order-1").update(due_at=NOW - HOUR)
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in Webhooks().collect()
        for sample in metric.samples
    }
    lag = found.pop(("cloudmart_webhook_lag_seconds",))
    assert 3600 <= lag < 3660
    assert found == {
        ("cloudmart_webhook_endpoints", "enabled"): 1,
        ("cloudmart_webhook_endpoints", "failing"): 1,
        ("cloudmart_webhook_endpoints", "disabled"): 1,
        ("cloudmart_webhook_deliveries_pending",): 2,
    }
