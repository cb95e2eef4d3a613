"""The consumer of examples/, as a process that reads a real Redis: each event once, in order, whatever dies."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from functools import partial

import pytest

from cloudmart.outbox.cloud_events import document
from sagas.streams.server import add, check_partitions, partition_of
from tests.processes import ROOT, TIMEOUT, wait_until
from tests.redis_server import running_redis
from tests.rounds import rounds

pytestmark = pytest.mark.any_database

CONSUMER = ROOT / "examples" / "consumer.py"
CONFIG = ROOT / "cloudmart" / "deploy" / "redis-streams.conf"
SHOP = "urn:cloudmart"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_redis(tmp_path_factory.mktemp("redis"), CONFIG) as server:
        yield server


@pytest.fixture(autouse=True)
def redis(server, settings):
    settings.EVENTS_URL, settings.EVENTS_PARTITIONS = server.url, 4
    with server.client() as client:
        client.flushall()
        check_partitions()
        yield client


def event(subject, sequence, source=SHOP):
    details = {"id": f"{subject}-{sequence}", "type": "order.completed", "source": source, "subject": subject}
    found = document(**details, sequence=sequence, traceparent=None, data={"title": "本"})
    return {**found, "partitionkey": subject}


class Consumer:
    """A consumer with a store of its own, which may be killed and started again."""

    def __init__(self, folder, url):
        self.store, self._url, self._folder = folder / "store.sqlite3", url, folder
        self._runs = 0

    def start(self, *options):
        self._runs += 1
        command = [sys.executable, CONSUMER, "--url", self._url, "--store", self.store, *options]
        with (
            open(self._folder / f"{self._runs}.out", "w") as out,
            open(self._folder / f"{self._runs}.err", "w") as err,
        ):
            return subprocess.Popen(command, stdout=out, stderr=err)

    def run(self, *options):
        """Runs until everything is read."""
        assert self.start("--once", *options).wait(TIMEOUT) == 0

    def _lines(self, kind):
        texts = [(self._folder / f"{run}.{kind}").read_text() for run in range(1, self._runs + 1)]
        return [json.loads(line) for text in texts for line in text.splitlines() if line.endswith("}")]

    @property
    def printed(self):
        return self._lines("out")

    @property
    def problems(self):
        return self._lines("err")

    @property
    def sequences(self):
        """The sequences of the stored events of each source and subject."""
        found = defaultdict(list)
        with closing(sqlite3.connect(self.store, timeout=TIMEOUT)) as store:
            for (text,) in store.execute("SELECT document FROM events ORDER BY number"):
                event = json.loads(text)
                found[event["source"], event["subject"]].append(int(event["sequence"]))
        return dict(found)

    @property
    def stored(self):
        """The sequences of the stored events of each subject, which has one source."""
        return {subject: sequences for (_, subject), sequences in self.sequences.items()}


@pytest.fixture
def consumer(tmp_path, server):
    return Consumer(tmp_path, server.url)


def ids(events):
    return [(each["source"], each["id"]) for each in events]


def test_each_event_is_printed_as_it_is_published(consumer):
    events = [event("order-1", 1), event("order-1", 2), event("order-1", 1, f"{SHOP}:saga")]
    add(events)
    consumer.run()
    consumer.run()
    assert consumer.printed == events and consumer.problems == []


def test_a_duplicate_is_dropped(consumer):
    add([event("order-1", 1), event("order-1", 2), event("order-1", 1)])
    add([event("order-1", 3)])
    consumer.run()
    add([event("order-1", 2), event("order-1", 3)])
    consumer.run()
    assert consumer.stored == {"order-1": [1, 2, 3]} and len(consumer.printed) == 3 and consumer.problems == []


def test_a_gap_is_reported_and_what_follows_is_processed(consumer):
    add([event("order-1", 1), event("order-1", 4), event("order-2", 1), event("order-1", 5)])
    consumer.run()
    gap = {"problem": "gap", "source": SHOP, "subject": "order-1", "expected": 2, "received": 4, "trimmed": False}
    assert consumer.problems == [gap]
    assert consumer.stored == {"order-1": [1, 4, 5], "order-2": [1]}


def test_a_consumer_that_was_away_for_too_long_says_that_events_were_trimmed(consumer, redis):
    add([event("order-1", 1)])
    consumer.run()
    add([event("order-1", sequence) for sequence in range(2, 6)])
    redis.xtrim(f"cloudmart:events:{partition_of('order-1')}", maxlen=2, approximate=False)
    consumer.run()
    gap = {"problem": "gap", "source": SHOP, "subject": "order-1", "expected": 2, "received": 4, "trimmed": True}
    assert consumer.problems == [gap]
    assert consumer.stored == {"order-1": [1, 4, 5]}


def test_a_consumer_that_begins_after_events_were_trimmed_says_so(consumer, redis):
    add([event("order-1", sequence) for sequence in range(1, 6)])
    redis.xtrim(f"cloudmart:events:{partition_of('order-1')}", maxlen=2, approximate=False)
    consumer.run()
    assert [(each["problem"], each["trimmed"]) for each in consumer.problems] == [("gap", True)]


def test_an_entry_that_is_no_event_is_reported_and_delays_nothing(consumer, redis):
    stream = f"cloudmart:events:{partition_of('order-1')}"
    numbered = [json.dumps({"source": "a", "id": "b", "subject": "c", "sequence": each}) for each in (1, "x")]
    for fields in ({"other": "1"}, *({"event": each} for each in ("{", "[]", "{}", *numbered))):
        redis.xadd(stream, fields)
    add([event("order-1", 1)])
    consumer.run()
    assert [each["problem"] for each in consumer.problems] == ["unreadable"] * 6
    assert consumer.stored == {"order-1": [1]}


def test_a_consumer_may_read_one_partition(consumer):
    subjects = [f"order-{number}" for number in range(20)]
    add([event(subject, 1) for subject in subjects])
    for partition in range(4):
        consumer.run("--partition", str(partition))
        found = [each["subject"] for each in consumer.printed if partition_of(each["subject"]) == partition]
        assert found == [subject for subject in subjects if partition_of(subject) == partition]
    assert len(consumer.printed) == 20


@pytest.mark.slow
def test_a_consumer_that_is_killed_loses_nothing_and_prints_nothing_twice(consumer):
    subjects = [f"order-{number}" for number in range(5)]
    recorded = 0

    def publish(number):
        nonlocal recorded
        for sequence in range(recorded + 1, recorded + 1 + number):
            add([event(subject, sequence) for subject in subjects])
        recorded += number

    for _ in range(rounds(3, ci=10)):
        process = consumer.start()
        publish(20)
        wait_until(lambda: len(consumer.printed) > 0)
        process.send_signal(signal.SIGKILL)
        process.wait(TIMEOUT)
        publish(20)
    consumer.run()
    assert consumer.stored == {subject: [*range(1, recorded + 1)] for subject in subjects}
    assert len(set(ids(consumer.printed))) == len(consumer.printed)
    assert consumer.problems == []


@pytest.mark.slow
def test_a_consumer_continues_when_redis_is_back(consumer, server):
    process = consumer.start()
    add([event("order-1", 1)])
    wait_until(lambda: len(consumer.printed) == 1)
    server.kill()
    wait_until(lambda: consumer.problems)
    server.start()
    wait_until(lambda: not server.client().info("persistence")["loading"])
    add([event("order-1", 2)])
    wait_until(lambda: len(consumer.printed) == 2)
    process.kill()
    process.wait(TIMEOUT)
    assert consumer.stored == {"order-1": [1, 2]}
    assert {each["problem"] for each in consumer.problems} == {"redis"}


def test_two_members_of_one_group_process_an_orders_events_in_any_order(redis):
    """That is why one consumer reads a partition."""
    stream = f"cloudmart:events:{partition_of('order-1')}"
    add([event("order-1", 1), event("order-1", 2)])
    redis.xgroup_create(stream, "group", id="0")
    read = partial(redis.xreadgroup, "group", streams={stream: ">"}, count=1)
    received = {name: json.loads(read(name)[0][1][0][1]["event"]) for name in ("slow", "fast")}
    processed = [received["fast"], received["slow"]]
    assert [int(each["sequence"]) for each in processed] == [2, 1]
