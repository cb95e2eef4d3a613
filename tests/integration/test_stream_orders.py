"""Orders and their stream: each event that is recorded arrives, in order, whatever dies in between."""

import json
from collections import defaultdict
from contextlib import closing
from datetime import timedelta

import pytest
from django.core.management import call_command

from cloudmart.outbox.models import EventSequence, OutboxEvent
from orders.models import Order, SagaStyle
from sagas.models import Event
from sagas.operations.commands import return_order
from sagas.streams import publisher as publishing
from sagas.streams.publisher import Publisher
from sagas.streams.tasks import publish_pending
from tests.committed import mark_as_delivered, mark_as_shipped
from tests.conftest import signed_in
from tests.integration.test_stream_consumer import CONFIG, SHOP, Consumer
from tests.integration.test_streams import first_occurrences, gone, published, waiting
from tests.processes import TIMEOUT, free_port, running_command, wait_until
from tests.redis_server import RedisServer, running_redis
from tests.rounds import rounds

STYLES = pytest.mark.parametrize("style", SagaStyle)
TOKEN = "tok_of_the_customer"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_redis(tmp_path_factory.mktemp("streams"), CONFIG) as server:
        yield server


@pytest.fixture
def redis(server, settings, monkeypatch):
    settings.EVENTS_URL, settings.EVENTS_PARTITIONS = server.url, 4
    monkeypatch.setattr(publishing, "FIRST_BACKOFF", timedelta(0))
    monkeypatch.setattr(publishing, "publisher", Publisher())
    with closing(server.client()) as client:
        client.flushall()
        yield client


@pytest.fixture
def place(api, shelve):
    """Places an order of a style, and returns its id."""
    shelve("book-123", 1000)

    def place(style, status=201, **more):
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
        response = api.post("/orders", {**body, "payment_token": TOKEN, **more})
        assert response.status_code == status
        return response.json().get("order_id")

    return place


def recorded():
    """Returns the sequence of all events that were recorded, of each source and subject."""
    found = defaultdict(list)
    for order_id, seq in Event.objects.order_by("seq").values_list("aggregate_id", "seq"):
        found[f"{SHOP}:saga", str(order_id)].append(seq)
    for row in EventSequence.objects.all():
        found[SHOP, row.subject.partition(":")[2]] = [*range(1, row.latest + 1)]
    return dict(found)


@STYLES
def test_what_becomes_of_orders_is_published_as_it_is_recorded(redis, place, api, operator, style):
    place(style)
    place(style, 402, payment_token="tok_insufficient_funds")
    cancelled, returned, refunded = (place(style) for _ in range(3))
    assert api.post(f"/orders/{cancelled}/cancel").status_code == 200
    for outcome in (mark_as_shipped, mark_as_delivered):
        outcome(returned)
    return_order(returned, "It has come back.", "operator")
    body = {"order_id": refunded, "amount": 300}
    assert signed_in(operator).post("/payments/refund", body).status_code == 200
    rows = list(OutboxEvent.objects.exclude(type="order.events").order_by("position"))
    publish_pending()
    assert first_occurrences(redis) == recorded()
    documents = published(redis)
    by_source = defaultdict(list)
    for document in documents:
        by_source[document["source"], document["subject"]].append(document["id"])
    for order_id in Order.objects.values_list("pk", flat=True):
        subject = str(order_id)
        steps = Event.objects.filter(aggregate_id=order_id).order_by("seq").values_list("pk", flat=True)
        assert by_source[f"{SHOP}:saga", subject] == [str(pk) for pk in steps]
        assert by_source[SHOP, subject] == [str(row.event_id) for row in rows if row.subject == subject]
    types = {document["type"] for document in documents}
    outcomes = {"order.completed", "order.cancelled", "order.returned", "payment.refunded"}
    assert {*outcomes, "parcel.shipped", "parcel.delivered"} <= types
    assert (style == SagaStyle.CHOREOGRAPHY) == ("StockReserved" in types)
    assert len(documents) == len({(each["source"], each["id"]) for each in documents})


@STYLES
def test_no_secret_and_no_address_is_published(redis, place, customer, style):
    place(style)
    place(style, 402, payment_token="tok_insufficient_funds")
    publish_pending()
    text = json.dumps(published(redis), ensure_ascii=False)
    for secret in (TOKEN, "tok_", customer.name, customer.email, customer.address, customer.postal_code):
        assert secret not in text


def test_the_events_of_a_draft_are_published_unless_it_is_deleted(redis, api, shelve):
    shelve("book-123", 10)

    def draft():
        path = api.post("/orders", {"payment_method": "credit_card"})["Location"]
        assert api.post(f"{path}/items", {"book_id": "book-123", "quantity": 1}).status_code == 200
        return path

    path = draft()
    assert publish_pending() == 1
    assert api.post(f"{path}/confirm").status_code == 200
    assert api.delete(draft()).status_code == 204
    publish_pending()
    assert first_occurrences(redis) == recorded()
    types = [document["type"] for document in published(redis)]
    assert types[0] == "ItemAdded" and "order.completed" in types and types.count("ItemAdded") == 1


@STYLES
def test_without_redis_orders_are_placed_and_mailed_and_their_events_arrive_later(
    place, mailbox, settings, tmp_path, monkeypatch, style
):
    settings.EVENTS_URL = f"redis://127.0.0.1:{(port := free_port())}/0"
    monkeypatch.setattr(publishing, "FIRST_BACKOFF", timedelta(0))
    monkeypatch.setattr(publishing, "publisher", Publisher())
    for _ in range(3):
        place(style)
    call_command("run_worker", once=True)
    assert set(Order.objects.values_list("status", flat=True)) == {"completed"}
    assert len(mailbox.messages) == 3
    assert waiting() > 0
    server = RedisServer(tmp_path, port, CONFIG)
    server.start()
    try:
        call_command("run_worker", once=True)
        with closing(server.client()) as client:
            assert waiting() == 0 and first_occurrences(client) == recorded()
    finally:
        server.kill()


@pytest.mark.slow
def test_workers_redis_and_the_consumer_are_killed_and_the_consumer_has_every_event_once(
    redis, server, place, api, tmp_path
):
    env = {"EVENTS_URL": server.url, "EVENTS_PARTITIONS": "4", "LEASE": "3"}
    consumer = Consumer(tmp_path, server.url)
    for _ in range(rounds(2, ci=5)):
        with running_command("run_worker", "--interval", "0.1", **env) as worker:
            reader = consumer.start()
            for number in range(12):
                order_id = place(SagaStyle.values[number % 2])
                if number % 4 == 0:
                    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
                if number == 4:
                    with gone(server):
                        place(SagaStyle.CHOREOGRAPHY)
                if number == 8:
                    reader.kill()
                    reader.wait(TIMEOUT)
            worker.kill()
    with running_command("run_worker", "--interval", "0.1", **env):
        wait_until(lambda: waiting() == 0)
    consumer.run()
    assert consumer.sequences == recorded()
    assert {each["problem"] for each in consumer.problems} <= {"redis"}
    assert OutboxEvent.objects.filter(for_stream=True).count() == 0
