"""What must have left the shop after the chaos: each recorded event, to the receiver of webhooks and to the streams.

Events may arrive more than once. Without those whose id has come before, a subject's events are complete and in order.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any
from zlib import crc32

from redis import Redis

from cloudmart.outbox.types import EventType
from orders.models import Status
from tests.chaos.shop import Shop

Document = dict[str, Any]
"""A CloudEvents document."""
SAGA = ":saga"
"""The end of the source of a saga's events."""


def check_consumers(shop: Shop) -> str:
    """Waits until nothing is pending, and checks what each consumer has. Returns a line of the summary."""
    shop.deliver()
    recorded = shop.findings()
    webhooks, streams = shop.receiver.accepted(), streams_in(shop.topology.events_url)
    assert [webhook.id for webhook in webhooks] == [webhook.event["id"] for webhook in webhooks]
    told = [webhook.event for webhook in webhooks]
    published = [document for stream in streams.values() for document in stream]
    check_webhooks(told, recorded)
    check_partitions(streams)
    check_published(published, recorded)
    check_consumed(consumed_by(shop), published)
    check_log((shop.topology.folder / "logs" / "consumer.log").read_text())
    return f"{counted('webhooks', told)}; {counted('events in streams', published)}"


def check_webhooks(webhooks: Iterable[Document], recorded: Document) -> None:
    """Checks that the receiver has each order's events in order, and that the last outcome is the order's status.

    Those of books may have come before the endpoint was registered.
    """
    orders = {order_id: status for order_id, _, status in recorded["orders"] if status != Status.DRAFT}
    told = by_subject(each for each in once(webhooks) if each["type"] != EventType.STOCK_LOW)
    assert sequences(told) == expected_sequences(recorded, orders)
    for order_id, status in orders.items():
        outcomes = [each["data"]["status"] for each in told.get(order_id, ()) if each["type"].startswith("order.")]
        assert outcomes[-1:] == [status], (order_id, outcomes)


def check_published(documents: Iterable[Document], recorded: Document) -> None:
    """Checks that the streams have the events of the sagas and those of the outbox, each order's in order."""
    of_sagas, of_outbox = [], []
    for each in once(documents):
        (of_sagas if each["source"].endswith(SAGA) else of_outbox).append(each)
    assert {
        subject: [[int(each["sequence"]), each["id"], each["type"]] for each in events]
        for subject, events in by_subject(of_sagas).items()
    } == recorded["events"]
    assert sequences(by_subject(of_outbox)) == expected_sequences(recorded)


def check_consumed(consumed: Sequence[Document], published: Iterable[Document]) -> None:
    """Checks that the consumer has processed each event of the streams once, those of a subject in their order."""
    assert by_subject(consumed) == by_subject(once(published))


def check_log(log: str) -> None:
    """Checks that the consumer has missed no event: it reports a gap in the sequence."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith('{"problem"')]
    assert [line for line in lines if line["problem"] != "redis"] == []


def check_partitions(streams: dict[int, list[Document]]) -> None:
    """Checks that all events of a subject are in the one stream of its checksum."""
    for number, documents in streams.items():
        assert {crc32(each["subject"].encode()) % len(streams) for each in documents} <= {number}


def once(documents: Iterable[Document]) -> list[Document]:
    """Returns the documents without those whose source and id have come before."""
    first: dict[tuple[str, str], Document] = {}
    for each in documents:
        first.setdefault((each["source"], each["id"]), each)
    return list(first.values())


def by_subject(documents: Iterable[Document]) -> dict[str, list[Document]]:
    subjects = defaultdict(list)
    for each in documents:
        subjects[each["subject"]].append(each)
    return dict(subjects)


def sequences(subjects: dict[str, list[Document]]) -> dict[str, list[int]]:
    return {subject: [int(each["sequence"]) for each in documents] for subject, documents in subjects.items()}


def expected_sequences(recorded: Document, among: Iterable[str] | None = None) -> dict[str, list[int]]:
    """Returns 1 to the latest of each subject, or of those among these."""
    latest = {key.partition(":")[2]: number for key, number in recorded["sequences"].items()}
    return {key: list(range(1, number + 1)) for key, number in latest.items() if among is None or key in among}


def streams_in(url: str) -> dict[int, list[Document]]:
    """Returns the documents of each partition, in their order."""
    with Redis.from_url(url, decode_responses=True) as redis:
        partitions = int(redis.get("cloudmart:events:partitions") or 0)
        return {
            number: [json.loads(fields["event"]) for _, fields in redis.xrange(f"cloudmart:events:{number}")]
            for number in range(partitions)
        }


def consumed_by(shop: Shop) -> list[Document]:
    """Returns the documents that the consumer has processed, in this order."""
    with closing(sqlite3.connect(shop.consumer)) as store:
        return [json.loads(document) for (document,) in store.execute("SELECT document FROM events ORDER BY number")]


def counted(what: str, documents: Sequence[Document]) -> str:
    different = len(once(documents))
    return f"{different} {what}, {len(documents) - different} of them repeated"
