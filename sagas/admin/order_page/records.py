"""What the page reads of one order: its records, and the newest rows of what has happened to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet, Sum

from inventory.models import StockEvent
from orders.models import OrderNote, SagaStyle
from orders.selectors import notes_of
from payments.models import Refund
from sagas.admin.order_page.stock import Change
from sagas.events import upcast
from sagas.models import Event, EventReceipt, SagaAction, SagaStepLog
from sagas.operations.records import OrderRecords, records_of
from sagas.operations.timeline.bars import Timeline
from sagas.operations.timeline.reading import timeline_of_draft, timeline_of_events, timeline_of_log

MOST = 100
"""Rows of each kind on the page. A link leads to all of them."""

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Newest(Generic[Row]):
    """The newest rows of a query, oldest first, and whether there are earlier ones."""

    rows: tuple[Row, ...]
    has_earlier: bool

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def newest(rows: QuerySet[Row], order: str) -> Newest[Row]:
    """Returns the last MOST rows in this order, which an index has."""
    found = list(rows.order_by(f"-{order}")[: MOST + 1])
    return Newest(tuple(found[:MOST][::-1]), len(found) > MOST)


@dataclass(frozen=True, slots=True)
class History:
    """The records of one order, and how they came about."""

    records: OrderRecords
    steps: Newest[SagaStepLog]
    events: Newest[Event]
    receipts: tuple[EventReceipt, ...]
    """Of these events, in choreography."""
    actions: Newest[SagaAction]
    notes: Newest[OrderNote]
    refunds: Newest[Refund]
    changes: tuple[Change, ...]

    @property
    def timeline(self) -> Timeline:
        """The timeline, as far as these rows go back."""
        saga, events = self.records.saga, list(self.events)
        if saga is None:
            return timeline_of_draft(self.records.order.pk, events)
        saga.read_at = self.records.now
        if saga.saga_type == SagaStyle.ORCHESTRATION:
            return timeline_of_log(saga, list(self.steps), events)
        return timeline_of_events(saga, events, list(self.receipts))

    @property
    def is_cut(self) -> bool:
        """Returns True if the timeline begins later than the order."""
        return self.steps.has_earlier or self.events.has_earlier


def read_history(order_id: UUID) -> History:
    """Raises OrderNotFound."""
    records = records_of(order_id)
    events = _events(order_id)
    return History(
        records=records,
        steps=newest(SagaStepLog.objects.filter(saga=records.saga), "seq"),
        events=events,
        receipts=_receipts(events) if records.order.saga_style == SagaStyle.CHOREOGRAPHY else (),
        actions=newest(SagaAction.objects.filter(saga=records.saga), "id"),
        notes=newest(notes_of(order_id), "pk"),
        refunds=newest(Refund.objects.filter(payment=records.payment), "reference"),
        changes=_changes(order_id),
    )


def _events(order_id: UUID) -> Newest[Event]:
    events = newest(Event.objects.filter(aggregate_id=order_id), "seq")
    for event in events:
        event.payload = upcast(event.payload)
    return events


def _receipts(events: Newest[Event]) -> tuple[EventReceipt, ...]:
    return tuple(EventReceipt.objects.filter(event__in=[event.pk for event in events]))


def _changes(order_id: UUID) -> tuple[Change, ...]:
    events = StockEvent.objects.filter(order_id=order_id)
    sums = events.values_list("shelf_id", "type").annotate(Sum("on_hand_delta"), Sum("reserved_delta"))
    return tuple(sums.order_by("shelf_id", "type"))
