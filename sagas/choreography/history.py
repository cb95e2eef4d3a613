"""The events of one order, while its saga's row is locked: what has happened, and what this transaction publishes."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Self
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from cloudmart.database.clock import NOW
from cloudmart.database.prepared import Insert, Select, Update
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import OrderSnapshot, StockRequest
from cloudmart.outbox.recording import record_saga_events
from sagas.choreography.signals import EVENTS, FAILURES, OrderEvent
from sagas.engine.lease import NO_LEASE, lease
from sagas.engine.style import OnFinished, SagaResult
from sagas.engine.transitions import PROGRESS, Position, transition
from sagas.errors import LeaseLost
from sagas.events import PAYLOAD_VERSION, log_published, order_data
from sagas.locks import lock_held_saga
from sagas.models import FINISHED, Event, EventReceipt, SagaInstance

EVENTS_OF = Select(
    lambda order_id: Event.objects.filter(aggregate_id=order_id).order_by("seq").defer("payload"),
)
RECEIPTS_OF = Select(
    lambda order_id: EventReceipt.objects.filter(event__aggregate_id=order_id).values_list("consumer", "event_id")
)
INSERT_SAGA = Insert(SagaInstance)
INSERT_EVENTS = Insert(Event)
INSERT_RECEIPTS = Insert(EventReceipt)
STORED_EVENTS = Update(lambda pks: Event.objects.filter(pk__in=pks))
LATER_THAN_PUBLISHED = Greatest("timestamp", NOW)


@dataclass(slots=True)
class Receipt:
    """The columns of an EventReceipt that is not stored yet."""

    consumer: str
    event_id: UUID
    received_at: datetime | None = None


class History:
    """Collects events and receipts, and writes each kind in one statement.

    The saga is a copy, which replaces the original's attributes once the transaction has committed.
    """

    cause: UUID | None = None
    """The event to which the running reaction reacts."""
    settled: Mapping[str, Any] = MappingProxyType({})
    """The details of the provider call that this transaction has settled."""

    def __init__(self, saga: SagaInstance, order: OrderSnapshot, original: SagaInstance, *, is_new: bool) -> None:
        self.saga, self.order, self._original, self._is_new = saga, order, original, is_new
        self.state, self.failure = saga.status, saga.failure
        self._events: list[Event] = []
        self._receipts: set[tuple[str, UUID]] = set()
        self._stored_events = 0
        self._newly_delivered: list[Event] = []
        self._new_receipts: list[Receipt] = []
        self._changes: dict[str, Any] = {}

    @classmethod
    def new(cls, saga: SagaInstance, order: OrderSnapshot) -> Self:
        """Returns the history of a new order, whose saga is not stored yet: empty, or that of its draft."""
        history = cls(copy(saga), order, saga, is_new=True)
        if order.was_draft:
            history._events = EVENTS_OF(order_id=order.order_id)
            history._stored_events = len(history._events)
        return history

    @classmethod
    def load(cls, saga: SagaInstance, order: OrderSnapshot, before: Self | None = None) -> Self:
        """Locks the saga's row, and reads its events and receipts, unless this driver knows them. Raises LeaseLost.

        `before` is the history that its last transaction has committed: only the holder of the lease adds events.
        """
        history = cls(lock_held_saga(saga), order, saga, is_new=False)
        if before:
            history._events, history._receipts = list(before._events), set(before._receipts)
        else:
            history._events = EVENTS_OF(order_id=order.order_id)
            history._receipts = set(RECEIPTS_OF(order_id=order.order_id))
        history._stored_events = len(history._events)
        return history

    # --- What has happened ----------------------------------------------------------------------

    def has_happened(self, *events: OrderEvent) -> bool:
        """Returns True if all of these have happened."""
        happened = {event.event_type for event in self._events}
        return all(event.event_type in happened for event in events)

    def any_has_happened(self, *events: OrderEvent) -> bool:
        types = {event.event_type for event in events}
        return any(event.event_type in types for event in self._events)

    @property
    def is_failing(self) -> bool:
        return self.any_has_happened(*FAILURES)

    @property
    def reason(self) -> str:
        """The sentence of the first failure; "" if there is none."""
        return str((self.failure or {}).get("detail", ""))

    @property
    def returned_stock(self) -> StockRequest:
        """The order's books, with who undoes the order."""
        return self.order.with_actor(self.saga.compensation_actor(self.failure))

    # --- Publishing and delivering --------------------------------------------------------------

    def publish(self, event: OrderEvent, error: DomainError | None = None, /, **details: Any) -> None:
        """Records, when this transaction commits, that `event` has happened. A failure comes with its error."""
        failure = error.as_json() if error else {}
        self._events.append(
            Event(
                event_type=event.event_type,
                aggregate_id=self.order.order_id,
                seq=len(self._events) + 1,
                payload={**self._order_data, **failure, **details},
                causation_id=self.cause,
            )
        )
        if event in FAILURES and self.failure is None:
            self.failure = failure
        if event.reaches and event.reaches in SagaInstance.MOVES.get(self.state, ()):
            self.state = event.reaches

    @cached_property
    def _order_data(self) -> dict[str, Any]:
        """What every event says."""
        return {"version": PAYLOAD_VERSION, **order_data(self.saga.payload)}

    @property
    def published(self) -> list[Event]:
        """What this transaction has published so far."""
        return self._events[self._stored_events :]

    def find(self, event_id: UUID | None) -> Event:
        return next(event for event in self._events if event.pk == event_id)

    def undelivered(self) -> Iterator[Event]:
        """Yields the undelivered events in order, and those that are published meanwhile."""
        return (event for event in self._events if event.delivered_at is None)

    def is_processed(self, event: Event, consumer: str) -> bool:
        return (consumer, event.pk) in self._receipts

    def mark_processed(self, event: Event, consumer: str) -> None:
        self._receipts.add((consumer, event.pk))
        self._new_receipts.append(Receipt(consumer, event.pk))

    def is_delivered(self, event: Event) -> bool:
        """Returns True if every reaction has processed the event."""
        return all(self.is_processed(event, reaction.name) for reaction in EVENTS[event.event_type].reactions)

    # --- Writing --------------------------------------------------------------------------------

    def reopen(self, actor: str) -> None:
        """Acquires the lease of the completed saga, when the history is saved."""
        self.saga.cancelled_by = actor
        self._changes = {"cancelled_by": actor, "finished_at": None, "fence": F("fence") + 1, **lease()}

    def save(self, on_finished: OnFinished) -> None:
        """Writes the saga, the events and the receipts. Raises LeaseLost."""
        if self.state in FINISHED and self.state != self.saga.status:
            actor = self.saga.compensation_actor(self.failure)
            scope = self.saga.idempotency_scope
            result = SagaResult(self.order, self.state, self.failure, actor, scope, self.settled)
            self.saga.outcome = on_finished(result)
            self._changes["finished_at"] = NOW
        self._insert_saga() if self._is_new else self._update_saga()
        self._write_events()
        transaction.on_commit(self._take_over)
        transaction.on_commit(partial(log_published, self.published))

    def _take_over(self) -> None:
        """Updates the driver's saga and the stored events after the commit."""
        vars(self._original).update(vars(self.saga))
        for event in self._newly_delivered:
            event.delivered_at = self.saga.read_at

    @property
    def _position(self) -> Position:
        """The event that this saga has published last stands in place of a step."""
        published = self.published
        return Position(self.state, published[-1].event_type if published else self.saga.current_step)

    def _insert_saga(self) -> None:
        position = self._position
        columns = {"status": position.state, "current_step": position.step, "failure": self.failure, **self._changes}
        columns |= self.saga.payload_without_token(self.state) | (NO_LEASE if self.state in FINISHED else {})
        vars(self.saga).update(columns)
        INSERT_SAGA(self.saga)

    def _update_saga(self) -> None:
        progress = PROGRESS if self._new_receipts else {}
        keeps_lease = not all(event.delivered_at or self.is_delivered(event) for event in self._events)
        changes = {**progress, "failure": self.failure, **self._changes}
        if not transition(self.saga, self._position, keeps_lease=keeps_lease, **changes):
            raise LeaseLost(str(self.saga.pk))
        self.saga.fence += "fence" in self._changes

    def _write_events(self) -> None:
        for event in self.published:
            event.delivered_at = NOW if self.is_delivered(event) else None
        INSERT_EVENTS(*self.published)
        record_saga_events(self.order.order_id, self._stored_events + 1, len(self._events))
        INSERT_RECEIPTS(*self._new_receipts)
        stored = self._events[: self._stored_events]
        self._newly_delivered = [event for event in stored if event.delivered_at is None and self.is_delivered(event)]
        if self._newly_delivered:
            pks = [event.pk for event in self._newly_delivered]
            STORED_EVENTS(pks=pks).set(delivered_at=LATER_THAN_PUBLISHED)
