"""Publishing to a real Redis: each event at least once, the first time in order, whatever Redis and the workers do."""

import json
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from datetime import timedelta
from threading import Event as Signal
from threading import Thread
from zlib import crc32

import pytest
from django.conf import settings as configured
from django.db import connection, connections

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.outbox.models import OutboxConsumer, OutboxEvent
from cloudmart.outbox.recording import BOOK, ORDER, record, record_saga_events
from cloudmart.outbox.types import EventType
from sagas import events
from sagas.models import Event
from sagas.streams import publisher as publishing
from sagas.streams import server as streams
from sagas.streams.publisher import Publisher
from sagas.streams.tasks import publish_pending
from tests.integration.test_races import all_at_once
from tests.processes import ROOT, TIMEOUT, database_url, free_port, isolated, run_python, wait_until
from tests.redis_server import running_redis
from tests.rounds import rounds

CONFIG = ROOT / "cloudmart" / "deploy" / "redis-streams.conf"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_redis(tmp_path_factory.mktemp("streams"), CONFIG) as server:
        yield server


@pytest.fixture(autouse=True)
def redis(server, settings, monkeypatch, transactional_db):
    """Empty streams, to which this process publishes at once after a failure."""
    settings.EVENTS_URL, settings.EVENTS_PARTITIONS = server.url, 4
    monkeypatch.setattr(publishing, "FIRST_BACKOFF", timedelta(0))
    monkeypatch.setattr(publishing, "publisher", Publisher())
    client = server.client()
    client.flushall()
    yield client
    client.close()


def record_outcomes(*subjects):
    """Records an event of each of these orders, in a transaction of its own."""
    for subject in subjects:
        durable(record)(EventType.ORDER_COMPLETED, ORDER, subject, {"order_id": str(subject)})


@durable
def record_events_of_saga(order_id, number):
    """Records so many events of an order's saga, after those that it has."""
    first = Event.objects.filter(aggregate_id=order_id).count() + 1
    for seq in range(first, first + number):
        payload = {"version": events.PAYLOAD_VERSION, "number": seq}
        Event.objects.create(event_type="StockReserved", aggregate_id=order_id, seq=seq, payload=payload)
    record_saga_events(order_id, first, first + number - 1)


def streams_in(redis):
    """Returns the documents of each partition's stream."""
    return {
        partition: [json.loads(entry["event"]) for _, entry in redis.xrange(f"cloudmart:events:{partition}")]
        for partition in range(configured.EVENTS_PARTITIONS)
    }


def published(redis):
    """Returns all documents, those of each partition in their order."""
    return [document for documents in streams_in(redis).values() for document in documents]


def first_occurrences(redis):
    """Returns the sequence of the documents of each source and subject, without duplicates."""
    found = defaultdict(list)
    seen = set()
    for document in published(redis):
        if (key := (document["source"], document["id"])) not in seen:
            seen.add(key)
            found[document["source"], document["subject"]].append(int(document["sequence"]))
    return dict(found)


def waiting():
    return OutboxEvent.objects.filter(for_stream=True).count()


# --- What is published ----------------------------------------------------------------------------


def test_a_recorded_event_is_published_once_as_a_document(redis):
    order_id = new_id()
    record_outcomes(order_id)
    row = OutboxEvent.objects.get()
    assert publish_pending() == 1 and publish_pending() == 0
    (document,) = published(redis)
    assert document == {
        "specversion": "1.0",
        "id": str(row.event_id),
        "type": "order.completed",
        "source": "urn:cloudmart",
        "subject": str(order_id),
        "partitionkey": str(order_id),
        "time": row.time.isoformat(),
        "sequence": "0000000001",
        "dataschema": "urn:cloudmart:order.completed:1",
        "datacontenttype": "application/json",
        "data": {"order_id": str(order_id)},
    }
    row.refresh_from_db()
    assert (row.for_mail, row.for_webhooks, row.for_stream) == (True, True, False), "the others are as far as before"


def test_events_of_a_saga_are_published_as_they_are_recorded_with_a_source_of_their_own(redis):
    order_id = new_id()
    record_events_of_saga(order_id, 3)
    record_outcomes(order_id)
    record_events_of_saga(order_id, 2)
    assert publish_pending() == 3
    subject = str(order_id)
    assert first_occurrences(redis) == {
        ("urn:cloudmart:saga", subject): [1, 2, 3, 4, 5],
        ("urn:cloudmart", subject): [1],
    }
    documents = [each for each in published(redis) if each["source"] == "urn:cloudmart:saga"]
    stored = Event.objects.order_by("seq")
    assert [each["id"] for each in documents] == [str(event.pk) for event in stored]
    assert [each["data"] for each in documents] == [event.payload for event in stored]
    assert {each["type"] for each in documents} == {"StockReserved"}
    assert {each["dataschema"] for each in documents} == {"urn:cloudmart:saga:StockReserved:3"}
    assert OutboxEvent.objects.count() == 1, "rows that are for the stream only are deleted"


def test_payloads_are_published_in_their_present_version(redis):
    order_id = new_id()
    Event.objects.create(event_type="OrderCreated", aggregate_id=order_id, seq=1, payload={"schema": 1, "total": 5})
    durable(record_saga_events)(order_id, 1, 1)
    publish_pending()
    (document,) = published(redis)
    assert document["data"] == {"version": 3, "total_amount": 5}


def test_a_draft_that_is_deleted_before_its_events_are_published_delays_nothing(redis):
    order_id = new_id()
    record_events_of_saga(order_id, 3)
    Event.objects.filter(aggregate_id=order_id).delete()
    record_outcomes(new_id())
    assert publish_pending() == 2 and waiting() == 0
    assert len(published(redis)) == 1


def test_the_subject_decides_the_partition(redis):
    subjects = [new_id() for _ in range(20)]
    record_outcomes(*subjects)
    durable(record)(EventType.STOCK_LOW, BOOK, "本-123", {})
    publish_pending()
    found = {document["subject"]: number for number, each in streams_in(redis).items() for document in each}
    assert found == {str(each): crc32(str(each).encode()) % 4 for each in [*subjects, "本-123"]}
    assert len(set(found.values())) == 4


def test_old_entries_are_trimmed(redis, settings):
    settings.EVENTS_KEPT, settings.EVENTS_PARTITIONS = 100, 1
    order_id = new_id()
    record_events_of_saga(order_id, 600)
    publish_pending()
    assert 100 <= redis.xlen("cloudmart:events:0") < 300
    assert first_occurrences(redis)["urn:cloudmart:saga", str(order_id)][-1] == 600


def test_subscribers_are_notified_of_partitions_with_new_entries(redis, settings):
    settings.EVENTS_NOTIFY = True
    order_id = new_id()
    with redis.pubsub() as channel:
        channel.subscribe("cloudmart:events")
        assert channel.get_message(timeout=TIMEOUT)["type"] == "subscribe"
        record_outcomes(order_id, order_id)
        publish_pending()
        notified = channel.get_message(timeout=TIMEOUT)
        assert notified["data"] == str(crc32(str(order_id).encode()) % 4)
        assert channel.get_message() is None, "one message for each partition of a batch"
    settings.EVENTS_NOTIFY = False
    assert len(published(redis)) == 2, "they are in the stream as well"


def test_batches_are_published_until_nothing_is_pending(redis, monkeypatch):
    monkeypatch.setattr(publishing, "BATCH", 7)
    order_id = new_id()
    record_outcomes(*[order_id] * 30)
    assert publish_pending() == 30
    assert first_occurrences(redis) == {("urn:cloudmart", str(order_id)): [*range(1, 31)]}


def test_a_worker_that_should_stop_finishes_its_batch(redis, monkeypatch):
    monkeypatch.setattr(publishing, "BATCH", 7)
    record_outcomes(*[new_id()] * 30)
    assert publish_pending(lambda: True) == 7
    assert waiting() == 23 and OutboxConsumer.objects.get().owner == "", "another worker continues at once"


def test_a_transaction_that_commits_late_is_published(redis):
    """Its row has a lower position than rows that were published before."""
    early, late = new_id(), new_id()
    record_outcomes(late, early)
    row = OutboxEvent.objects.get(subject=str(late))
    OutboxEvent.objects.filter(pk=row.pk).delete()
    publish_pending()
    row.save(force_insert=True)
    assert publish_pending() == 1
    assert {document["subject"] for document in published(redis)} == {str(early), str(late)}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_a_transaction_that_is_open_while_later_rows_are_published_is_published_after_its_commit(redis):
    early, late = new_id(), new_id()
    is_recorded, may_commit = Signal(), Signal()

    @durable
    def record_and_wait():
        record(EventType.ORDER_COMPLETED, ORDER, late, {})
        is_recorded.set()
        assert may_commit.wait(TIMEOUT)

    def publish_meanwhile():
        assert is_recorded.wait(TIMEOUT)
        record_outcomes(early)
        assert publish_pending() == 1
        may_commit.set()

    assert all_at_once([record_and_wait, publish_meanwhile]) == [None, None]
    assert publish_pending() == 1
    found = [(document["subject"], document["sequence"]) for document in published(redis)]
    assert sorted(found) == sorted([(str(early), "0000000001"), (str(late), "0000000001")])


def test_an_event_that_cannot_be_published_holds_up_its_subject_only(redis, monkeypatch, lines):
    monkeypatch.setattr(publishing, "BATCH", 5)
    broken, others = new_id(), [new_id() for _ in range(10)]
    record_outcomes(broken, broken, *others, broken)
    OutboxEvent.objects.filter(pk=OutboxEvent.objects.order_by("pk")[0].pk).update(type="of a later version")
    assert [publish_pending() for _ in range(2)] == [10, 0]
    assert first_occurrences(redis) == {("urn:cloudmart", str(each)): [1] for each in others}
    assert OutboxConsumer.objects.get().error.startswith("ValueError")
    errors = [line for line in lines() if line["logger"] == "sagas.streams.publisher"]
    assert [line["level"] for line in errors] == ["error"] and str(broken) in errors[0]["event"]
    OutboxEvent.objects.update(type=EventType.ORDER_COMPLETED)
    assert publish_pending() == 3
    assert first_occurrences(redis)["urn:cloudmart", str(broken)] == [1, 2, 3]
    assert OutboxConsumer.objects.get().error == ""


def test_more_broken_events_than_a_batch_has_hold_up_no_other(redis, monkeypatch):
    monkeypatch.setattr(publishing, "BATCH", 2)
    broken, others = [new_id() for _ in range(3)], [new_id() for _ in range(3)]
    record_outcomes(*broken * 2)
    OutboxEvent.objects.update(type="of a later version")
    record_outcomes(*others, *broken)
    assert [publish_pending() for _ in range(2)] == [3, 0]
    assert first_occurrences(redis) == {("urn:cloudmart", str(each)): [1] for each in others}
    assert waiting() == 9


def test_half_of_a_surrogate_pair_is_escaped():
    """SQLite stores it; UTF-8 cannot encode it."""
    document = {"title": "本 \ud800"}
    assert streams.encoded(document) == '{"title":"本 \\ud800"}'.encode()
    assert json.loads(streams.encoded(document)) == document


# --- Redis fails ----------------------------------------------------------------------------------


@contextmanager
def gone(server):
    server.kill()
    try:
        yield
    finally:
        server.start()
        wait_until(lambda: not server.client().info("persistence")["loading"])


@contextmanager
def hanging(server):
    with server.stopped():
        yield


@contextmanager
def full(server):
    client = server.client()
    client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)
        client.close()


@contextmanager
def read_only(server):
    client = server.client()
    client.replicaof("127.0.0.1", free_port())
    try:
        yield
    finally:
        client.replicaof("NO", "ONE")
        client.close()


@contextmanager
def with_a_password(server):
    client = server.client()
    client.config_set("requirepass", "secret")
    client.auth("secret")
    client.client_kill_filter(_type="normal", skipme=True)
    try:
        yield
    finally:
        client.config_set("requirepass", "")
        client.close()


FAILURES = {
    "gone": (gone, "ConnectionError"),
    "hanging": (hanging, "TimeoutError"),
    "full": (full, "OutOfMemoryError"),
    "read-only": (read_only, "ReadOnlyError"),
    "with a password": (with_a_password, "AuthenticationError"),
}


@contextmanager
def impatient():
    """The publisher waits no longer than it takes to show that it does not wait for ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "TIMEOUT", 0.2)
        streams.client_of.cache_clear()
        yield
    streams.client_of.cache_clear()


@pytest.mark.parametrize(("failure", "error"), FAILURES.values(), ids=FAILURES)
def test_events_wait_while_redis_fails(redis, server, lines, failure, error):
    order_id = new_id()
    record_outcomes(order_id)
    publish_pending()
    with failure(server), impatient():
        record_outcomes(order_id, order_id)
        assert [publish_pending() for _ in range(3)] == [0, 0, 0], "nothing is raised"
        assert waiting() == 2
        consumer = OutboxConsumer.objects.get()
        assert error in consumer.error and consumer.failing_since and not consumer.owner
    assert publish_pending() == 2
    assert first_occurrences(redis) == {("urn:cloudmart", str(order_id)): [1, 2, 3]}
    consumer.refresh_from_db()
    assert (consumer.error, consumer.failing_since) == ("", None)
    logged = [line for line in lines() if line["logger"] == "sagas.streams.publisher"]
    assert [line["level"] for line in logged] == ["warning", "info"], "once for each outage"
    assert error in logged[0]["event"]


def test_batches_shrink_with_each_failure_and_grow_again(server, monkeypatch):
    """A slow disk may need longer for a whole batch than the publisher waits."""
    monkeypatch.setattr(publishing, "BATCH", 16)
    record_outcomes(*[new_id()] * 40)
    add, sizes = streams.add, []

    def add_a_few(documents):
        sizes.append(len(documents))
        if len(documents) > 4 and sizes.count(4) == 0:
            raise TimeoutError
        return add(documents)

    monkeypatch.setattr(streams, "add", add_a_few)
    assert [publish_pending() for _ in range(3)] == [0, 0, 40]
    assert sizes == [16, 8, 4, 8, 16, 12]


def test_after_a_failure_the_next_attempt_waits(server, monkeypatch):
    monkeypatch.setattr(publishing, "FIRST_BACKOFF", timedelta(hours=1))
    monkeypatch.setattr(publishing, "LONGEST_BACKOFF", timedelta(hours=1))
    record_outcomes(new_id())
    with gone(server):
        assert publish_pending() == 0
    monkeypatch.setattr(streams, "add", None)
    assert publish_pending() == 0, "it does not ask Redis"


def test_a_full_redis_takes_all_of_a_batch_or_nothing(redis, server):
    """Were the first event refused and the second one taken, they would be published in the wrong order."""
    order_id = new_id()
    record_outcomes(order_id)
    publish_pending()
    big = durable(record)
    big(EventType.ORDER_COMPLETED, ORDER, order_id, {"order_id": "x" * 2_000_000})
    record_outcomes(order_id)
    used = redis.info("memory")["used_memory"]
    redis.config_set("maxmemory", used + 500_000)
    try:
        for _ in range(4):
            publish_pending()
    finally:
        redis.config_set("maxmemory", 0)
    publish_pending()
    assert first_occurrences(redis) == {("urn:cloudmart", str(order_id)): [1, 2, 3]}


def test_a_full_redis_takes_events_again_once_fewer_are_kept(redis, settings):
    settings.EVENTS_PARTITIONS = 1
    record_events_of_saga(new_id(), 2000)
    publish_pending()
    redis.config_set("maxmemory", redis.info("memory")["used_memory"])
    try:
        record_outcomes(new_id())
        assert [publish_pending() for _ in range(2)] == [0, 0]
        settings.EVENTS_KEPT = 100
        assert publish_pending() == 1
    finally:
        redis.config_set("maxmemory", 0)


def test_a_stream_that_is_none_delays_its_partition_only(redis):
    subjects = [new_id() for _ in range(20)]
    redis.set("cloudmart:events:1", "no stream")
    record_outcomes(*subjects)
    publish_pending()
    stuck = {str(each) for each in subjects if crc32(str(each).encode()) % 4 == 1}
    assert set(OutboxEvent.objects.filter(for_stream=True).values_list("subject", flat=True)) == stuck
    redis.delete("cloudmart:events:1")
    while waiting():
        publish_pending()
    assert len(published(redis)) == 20, "the others were not published again"


def test_another_number_of_partitions_is_refused(redis, settings, lines):
    record_outcomes(new_id())
    publish_pending()
    settings.EVENTS_PARTITIONS = 5
    record_outcomes(new_id())
    assert publish_pending() == 0 and waiting() == 1
    error = "PartitionsDiffer: EVENTS_PARTITIONS is 5, but cloudmart:events:partitions is 4. Set it back, or change it"
    assert OutboxConsumer.objects.get().error.startswith(error)
    redis.delete("cloudmart:events:partitions")
    assert publish_pending() == 1


def test_redis_is_killed_and_started_again_over_its_data_while_events_are_recorded(redis, server):
    subjects = [new_id() for _ in range(5)]
    recorded = {("urn:cloudmart", str(each)): [*range(1, 41)] for each in subjects}
    stopped = []

    def publish():
        while not stopped or waiting():
            publish_pending()
        connections.close_all()

    thread = Thread(target=publish)
    thread.start()
    for number in range(40):
        record_outcomes(*subjects)
        if number in (10, 25):
            with gone(server):
                record_outcomes()
    stopped.append(True)
    thread.join(TIMEOUT)
    assert first_occurrences(redis) == recorded


# --- Workers die, and compete ---------------------------------------------------------------------

DIES = """
import sys, django; django.setup()
from sagas.streams import publisher
def wait(*args):
    print("added", flush=True)
    sys.stdin.read()
publisher.mark_published = wait
publisher.publisher.publish_pending()
"""


def environment(**more):
    return isolated(
        {
            "PATH": "/usr/bin:/bin",
            "DJANGO_SETTINGS_MODULE": "cloudmart.settings",
            "DATABASE_URL": database_url(),
            "EVENTS_URL": configured.EVENTS_URL,
            "EVENTS_PARTITIONS": "4",
            **more,
        }
    )


def expire_lease():
    OutboxConsumer.objects.update(lease_until=DatabaseNow() - timedelta(seconds=1))


def test_a_worker_that_is_killed_before_it_has_marked_its_batch_publishes_it_twice(redis):
    subjects = [new_id() for _ in range(10)]
    record_outcomes(*subjects, *subjects)
    process = subprocess.Popen(
        [sys.executable, "-c", DIES], cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"added\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIMEOUT)
    assert waiting() == 20 and publish_pending() == 0, "its lease has not expired"
    expire_lease()
    assert publish_pending() == 20
    found = published(redis)
    assert len(found) == 40 and len({(each["source"], each["id"]) for each in found}) == 20
    assert len({json.dumps(each) for each in found}) == 20, "the duplicates are the same"
    assert first_occurrences(redis) == {("urn:cloudmart", str(each)): [1, 2] for each in subjects}


def test_workers_that_publish_at_the_same_time_publish_everything_once(redis, monkeypatch):
    monkeypatch.setattr(publishing, "BATCH", 5)
    for _ in range(rounds(2, ci=10)):
        redis.flushall()
        subjects = [new_id() for _ in range(10)]
        record_outcomes(*subjects, *subjects, *subjects)

        def publish():
            worker = Publisher()
            while waiting():
                worker.publish_pending()

        assert all_at_once([publish] * 4) == [None] * 4
        assert first_occurrences(redis) == {("urn:cloudmart", str(each)): [1, 2, 3] for each in subjects}
        assert len(published(redis)) == 30


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_that_is_suspended_until_its_lease_is_lost_publishes_duplicates_only(redis, monkeypatch, moment):
    monkeypatch.setattr(publishing, "BATCH", 5)
    order_id = new_id()
    record_outcomes(*[order_id] * 12)
    add, suspended = streams.add, []

    def add_and_suspend(documents):
        if suspended:
            return add(documents)
        suspended.append(True)
        before = add(documents) if moment == "after" else None
        expire_lease()
        assert all_at_once([Publisher().publish_pending]) == [12]
        return before or add(documents)

    monkeypatch.setattr(streams, "add", add_and_suspend)
    publish_pending()
    assert waiting() == 0
    assert len(published(redis)) == 17
    assert first_occurrences(redis) == {("urn:cloudmart", str(order_id)): [*range(1, 13)]}


# --- Without a stream -----------------------------------------------------------------------------


def test_without_a_url_nothing_is_recorded_for_the_stream_and_nothing_published(settings, redis):
    settings.EVENTS_URL = ""
    record_outcomes(new_id())
    record_events_of_saga(new_id(), 2)
    assert not OutboxEvent.objects.get().for_stream
    assert publish_pending() == 0 and redis.dbsize() == 0


def test_what_is_left_for_the_stream_is_dropped_a_day_after_the_url_was_removed(settings, lines):
    record_outcomes(new_id())
    record_events_of_saga(new_id(), 2)
    settings.EVENTS_URL = ""
    assert publish_pending() == 0 and waiting() == 2, "another worker may have the URL still"
    OutboxEvent.objects.update(time=DatabaseNow() - timedelta(hours=25))
    assert publish_pending() == 2 and waiting() == 0
    assert OutboxEvent.objects.count() == 1, "the mail and the webhooks do not have it yet"
    assert [line["event"] for line in lines() if line["logger"] == "sagas.streams.tasks"] == [
        "2 events are not published: EVENTS_URL is not set"
    ]


IMPORTS = """
import sys, django; django.setup()
import sagas.management.commands.run_worker
from sagas.streams.tasks import publish_pending
publish_pending()
print("redis" in sys.modules)
"""


def test_without_a_url_redis_is_not_imported():
    assert run_python("-c", IMPORTS, env=environment(EVENTS_URL="")).stdout.strip() == "False"
