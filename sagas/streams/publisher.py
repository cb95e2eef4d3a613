"""Publishes to Redis what the outbox has for the stream. Imported only if EVENTS_URL is set.

The worker that holds the lease of the consumer reads a batch, adds it to the streams, and then marks it as published.
If it dies in between, or loses its lease, another one adds the batch again: consumers know these events by their ids.
"""

import logging
import os
from datetime import timedelta
from itertools import islice
from threading import get_native_id
from time import monotonic

from redis.exceptions import RedisError

from cloudmart.kernel.backoff import backoff
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.outbox.consumers import (
    acquire_lease,
    mark_published,
    pending,
    release_lease,
    store_failure,
    store_success,
)
from cloudmart.outbox.models import Consumer, OutboxEvent
from sagas.engine.lease import HOST
from sagas.streams import server
from sagas.streams.documents import Batch, batch_of
from sagas.streams.metrics import count_events

logger = logging.getLogger(__name__)

BATCH = 200
"""Rows of the outbox that are published at once. After each failure half as many, because Redis may be too slow for
more; after each success twice as many.
"""

FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=0.5), timedelta(seconds=10)

FAILURES = (RedisError, OSError, server.PartitionsDiffer)


class Publisher:
    """Publishes what is pending, whatever state Redis is in. For one thread of a process."""

    def __init__(self) -> None:
        self._failures = 0
        self._retry_at = 0.0
        self._broken = set[int]()

    def publish_pending(self, should_stop: ShouldStop = never) -> int:
        """Publishes until nothing is pending. Returns how many rows of the outbox are published.

        If Redis fails, stores why, and tries again at a later call. Returns 0 if another worker has the lease.
        """
        if monotonic() < self._retry_at or not pending(Consumer.STREAM, 1):
            return 0
        owner = f"{HOST}:{os.getpid()}:{get_native_id()}"
        if not acquire_lease(Consumer.STREAM, owner):
            return 0
        try:
            return self._publish(owner, should_stop)
        finally:
            release_lease(Consumer.STREAM, owner)

    def _publish(self, owner: str, should_stop: ShouldStop) -> int:
        total, broken = 0, dict[str, Exception]()
        try:
            server.check_partitions()
            if self._failures:
                server.trim()
            limit = max(1, BATCH >> self._failures)
            while rows := pending(Consumer.STREAM, limit, broken.keys()):
                batch = batch_of(rows)
                self._log_new(batch.broken)
                broken |= {row.subject: error for row, error in batch.broken}
                total += publish(batch)
                if len(rows) < limit or should_stop() or not acquire_lease(Consumer.STREAM, owner):
                    break
                limit = min(2 * limit, BATCH)
        except FAILURES as error:
            self._fail(error)
        else:
            self._succeed(next(iter(broken.values()), None))
        return total

    def _log_new(self, broken: list[tuple[OutboxEvent, Exception]]) -> None:
        """Logs broken rows, each once. One holds up the rows of its subject."""
        for row, error in broken:
            if row.pk not in self._broken:
                logger.error("event %s of %s cannot be published", row.event_id, row.subject, exc_info=error)
                self._broken.add(row.pk)

    def _fail(self, error: Exception) -> None:
        """Logs the first failure of an outage, and stores the last one."""
        self._failures += 1
        self._retry_at = monotonic() + backoff(self._failures, FIRST_BACKOFF, LONGEST_BACKOFF).total_seconds()
        if self._failures == 1:
            logger.warning("events cannot be published, and wait in the outbox: %r", error)
        store_failure(Consumer.STREAM, error)

    def _succeed(self, broken: Exception | None) -> None:
        if self._failures:
            logger.info("events are published again")
        self._failures = 0
        if broken:
            store_failure(Consumer.STREAM, broken)
        else:
            store_success(Consumer.STREAM)


def publish(batch: Batch) -> int:
    """Publishes the rows of a batch. Returns how many are published. Raises the error of Redis if one is not."""
    number = len(batch.documents)
    try:
        errors = server.add(batch.documents)
    except FAILURES:
        count_events("failed", number)
        raise
    count_events("published", errors.count(None))
    count_events("failed", number - errors.count(None))
    remaining = iter(errors)
    published = [row for row, documents in batch.rows if not any(list(islice(remaining, len(documents))))]
    mark_published(Consumer.STREAM, published)
    if error := next(filter(None, errors), None):
        raise error
    return len(published)


publisher = Publisher()
