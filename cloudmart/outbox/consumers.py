"""Passing recorded events on to the consumers. Each has its own progress: one that fails delays no other.

A consumer in this database, the mail or the webhooks, receives events in a transaction that also marks them as
received. Meanwhile the consumer's row is locked, so that one worker at a time passes its events on: in order, once.

The stream is not in this database. A worker that holds the lease of its row publishes the events, and marks them
afterwards. If the worker dies between the two, or the lease is lost, events are published again.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta

from django.db import InterfaceError, OperationalError
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from cloudmart.database.clock import NOW, from_now
from cloudmart.database.prepared import Insert
from cloudmart.database.transactions import durable, joining
from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.kernel.text import LONGEST_ERROR, storable
from cloudmart.outbox.models import Consumer, OutboxConsumer, OutboxEvent

logger = logging.getLogger(__name__)

BATCH, MOST_FAILING = 500, 5000
LEASE = timedelta(seconds=15)

INSERT = Insert(OutboxConsumer)

UNAVAILABLE = (OperationalError, InterfaceError, DatabaseBusy)
"""Errors of the database, for which no event is to blame."""

Receive = Callable[[Sequence[OutboxEvent]], None]
"""Stores what the consumer makes of these events, in the open transaction. They are in their order of positions."""


def pass_on(consumer: Consumer, receive: Receive, should_stop: ShouldStop = never) -> int:
    """Passes events on to a consumer in this database until it has all. Returns how many it has received.

    If `receive` raises, each event gets a transaction of its own: the failing one holds up its subject only, however
    many fail.
    """
    if not pending(consumer, 1):
        return 0
    _create(consumer)
    total, received = 0, BATCH
    while received == BATCH and not should_stop():
        try:
            received = _pass_on(consumer, receive)
        except UNAVAILABLE:
            raise
        except Exception as error:
            logger.error("%s: a batch of events failed; passing them on one by one", consumer, exc_info=error)
            store_failure(consumer, error)
            return total + _pass_on_one_by_one(consumer, receive, should_stop)
        total += received
    return total


def pending(consumer: Consumer, limit: int = BATCH, without: Collection[str] = ()) -> list[OutboxEvent]:
    """Returns the events that the consumer does not have, in the order of their positions, at most `limit`.

    Leaves out those of the subjects `without`.
    """
    events = OutboxEvent.objects.filter(**{consumer.column: True})
    return list((events.exclude(subject__in=without) if without else events).order_by("position")[:limit])


def mark_received(consumer: Consumer, events: Iterable[OutboxEvent]) -> None:
    """Marks that the consumer has these events, and deletes those that all consumers have. In the open transaction.

    What it could not delete it looks at again once it has locked the rows: two consumers may mark the same event
    at the same time.
    """
    rows = OutboxEvent.objects.filter(pk__in=[event.pk for event in events])
    others = {each.column: False for each in Consumer if each != consumer}
    rows.filter(**others).delete()
    if rows.update(**{consumer.column: False}):
        rows.filter(**others).delete()


@durable
def mark_published(consumer: Consumer, events: Iterable[OutboxEvent]) -> None:
    """Marks that a consumer outside this database has these events."""
    mark_received(consumer, events)


@durable
def acquire_lease(consumer: Consumer, owner: str) -> bool:
    """Acquires or extends the lease of a consumer outside this database. Returns False if another worker holds it."""
    _create(consumer)
    free = Q(owner=owner) | Q(lease_until=None) | Q(lease_until__lt=NOW)
    rows = OutboxConsumer.objects.filter(free, pk=consumer)
    return bool(rows.update(owner=owner, lease_until=from_now(LEASE)))


@durable
def release_lease(consumer: Consumer, owner: str) -> None:
    OutboxConsumer.objects.filter(pk=consumer, owner=owner).update(owner="", lease_until=None)


@durable
def store_failure(consumer: Consumer, error: Exception) -> None:
    """Stores why a run of the consumer has failed, and since when its runs fail."""
    text = storable(f"{type(error).__name__}: {error}", LONGEST_ERROR)
    since = Coalesce(F("failing_since"), NOW)
    OutboxConsumer.objects.filter(pk=consumer).update(error=text, failing_since=since)


@joining
def store_success(consumer: Consumer) -> None:
    OutboxConsumer.objects.filter(pk=consumer).exclude(failing_since=None).update(error="", failing_since=None)


@durable
def _pass_on(consumer: Consumer, receive: Receive) -> int:
    """Passes one batch on. Returns 0 if another worker is doing so."""
    row = _lock(consumer)
    events = pending(consumer) if row else []
    if events:
        receive(events)
        mark_received(consumer, events)
    if row and row.failing_since:
        store_success(consumer)
    return len(events)


def _pass_on_one_by_one(consumer: Consumer, receive: Receive, should_stop: ShouldStop) -> int:
    """Passes events on, in a transaction for each. The later events of a failing one's subject wait.

    Ends once MOST_FAILING subjects fail: then it is the consumer that does.
    """
    failing: set[str] = set()
    total, more = 0, True
    while more and len(failing) < MOST_FAILING and not should_stop():
        events = pending(consumer, BATCH, failing)
        received, failed = _pass_each_on(consumer, receive, events)
        total, more = total + received, len(events) == BATCH and bool(received or failed)
        failing |= failed
    if not failing:
        store_success(consumer)
    return total


def _pass_each_on(consumer: Consumer, receive: Receive, events: Sequence[OutboxEvent]) -> tuple[int, set[str]]:
    """Passes these events on, one by one. Returns how many are received, and the subjects of those that fail."""
    received, failing = 0, set[str]()
    for event in events:
        if event.subject in failing:
            continue
        try:
            received += _pass_one_on(consumer, receive, event.pk)
        except UNAVAILABLE:
            raise
        except Exception as error:
            logger.error("%s: event %s of %s failed", consumer, event.event_id, event.subject, exc_info=error)
            failing.add(event.subject)
    return received, failing


@durable
def _pass_one_on(consumer: Consumer, receive: Receive, position: int) -> int:
    events = list(OutboxEvent.objects.filter(pk=position, **{consumer.column: True})) if _lock(consumer) else []
    if events:
        receive(events)
        mark_received(consumer, events)
    return len(events)


@joining
def _create(consumer: Consumer) -> None:
    """Inserts the consumer's row when it is needed for the first time, and not in a transaction of `receive`."""
    if not OutboxConsumer.objects.filter(pk=consumer).exists():
        INSERT.unless_exists(OutboxConsumer(name=consumer))


def _lock(consumer: Consumer) -> OutboxConsumer | None:
    """Locks the consumer's row until the transaction ends, and returns it. Returns None if another worker has it."""
    return OutboxConsumer.objects.select_for_update(skip_locked=True).filter(pk=consumer).first()
