"""The streams in Redis: one for each partition. Imported only if EVENTS_URL is set."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any
from zlib import crc32

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

NAME = "cloudmart:events"
"""Of the channel. A stream's name has its partition's number in addition."""

PARTITIONS = f"{NAME}:partitions"
"""The key with the number of partitions of the streams that Redis has."""

TIMEOUT = 2
"""Seconds that Redis may take for the connection, and for each response."""


class PartitionsDiffer(Exception):
    """The streams have another number of partitions than EVENTS_PARTITIONS: an order's events would change streams."""


@cache
def client_of(url: str) -> Redis:
    """Returns the client of this process. It tries nothing twice: the publisher does, when it is due again."""
    limits = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT}
    return Redis.from_url(url, **limits, retry=Retry(NoBackoff(), 0), decode_responses=True)


def partition_of(subject: str) -> int:
    return crc32(subject.encode()) % settings.EVENTS_PARTITIONS


def stream_of(partition: int) -> str:
    return f"{NAME}:{partition}"


def check_partitions() -> None:
    """Stores the number of partitions if Redis has none. Raises PartitionsDiffer if it has another one."""
    client = client_of(settings.EVENTS_URL)
    number: Any = client.get(PARTITIONS)
    if number is None:
        client.set(PARTITIONS, settings.EVENTS_PARTITIONS, nx=True)
        number = client.get(PARTITIONS)
    if number != str(settings.EVENTS_PARTITIONS):
        raise PartitionsDiffer(
            f"EVENTS_PARTITIONS is {settings.EVENTS_PARTITIONS}, but {PARTITIONS} is {number}."
            " Set it back, or change it as docs/events.md says."
        )


def trim() -> None:
    """Trims all streams to EVENTS_KEPT: a full Redis takes events again once that is lowered."""
    pipeline = client_of(settings.EVENTS_URL).pipeline(transaction=False)
    for partition in range(settings.EVENTS_PARTITIONS):
        pipeline.xtrim(stream_of(partition), maxlen=settings.EVENTS_KEPT, approximate=True)
    pipeline.execute(raise_on_error=False)


def encoded(document: dict[str, Any]) -> bytes:
    """Returns the document as JSON. Half of a surrogate pair, which UTF-8 cannot encode, is escaped."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def add(documents: Sequence[dict[str, Any]]) -> list[RedisError | None]:
    """Adds the documents to the streams of their partitions, in one transaction. Returns the error of each.

    Raises an error if none was added, or if that is not known. A full Redis refuses the transaction as a whole:
    without one it could refuse an event and take the next one of the same order.
    """
    pipeline = client_of(settings.EVENTS_URL).pipeline(transaction=True)
    partitions = [partition_of(document["partitionkey"]) for document in documents]
    for partition, document in zip(partitions, documents, strict=True):
        pipeline.xadd(
            stream_of(partition), {"event": encoded(document)}, maxlen=settings.EVENTS_KEPT, approximate=True
        )
    if settings.EVENTS_NOTIFY:
        for partition in sorted(set(partitions)):
            pipeline.publish(NAME, partition)
    responses = pipeline.execute(raise_on_error=False)
    return [each if isinstance(each, RedisError) else None for each in responses[: len(documents)]]
