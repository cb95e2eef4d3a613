"""What the rows of the outbox become in the stream: documents of CloudEvents."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from cloudmart.outbox.cloud_events import cloud_event, document
from cloudmart.outbox.models import OutboxEvent
from cloudmart.outbox.recording import SAGA_EVENTS
from sagas.events import PAYLOAD_VERSION, upcast
from sagas.models import Event

Documents = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of the outbox with their documents, and those of which none can be made, with their errors."""

    rows: list[tuple[OutboxEvent, Documents]]
    broken: list[tuple[OutboxEvent, Exception]]

    @property
    def documents(self) -> Documents:
        return [document for _, documents in self.rows for document in documents]


def batch_of(rows: Sequence[OutboxEvent]) -> Batch:
    """Returns these rows with their documents, in their order. Leaves out what follows a broken row of its subject.

    A row of `order.events` has a document for each of its events, except for those of a draft that is deleted. Each
    document has the subject as its `partitionkey`.
    """
    events = _events_of({UUID(row.subject) for row in rows if row.type == SAGA_EVENTS})
    batch, held_up = Batch([], []), set[str]()
    for row in rows:
        if row.subject not in held_up:
            try:
                documents = [{**each, "partitionkey": row.subject} for each in _documents(row, events)]
            except Exception as error:
                batch.broken.append((row, error))
                held_up.add(row.subject)
            else:
                batch.rows.append((row, documents))
    return batch


def _documents(row: OutboxEvent, events: dict[UUID, list[Event]]) -> Iterator[dict[str, Any]]:
    if row.type != SAGA_EVENTS:
        yield cloud_event(row)
        return
    for event in events.get(UUID(row.subject), ()):
        if row.payload["first"] <= event.seq <= row.payload["last"]:
            yield _saga_event(event, row.traceparent)


def _events_of(order_ids: Iterable[UUID]) -> dict[UUID, list[Event]]:
    """Returns the events of these orders, in one query."""
    found: dict[UUID, list[Event]] = {order_id: [] for order_id in order_ids}
    if found:
        for event in Event.objects.filter(aggregate_id__in=found).order_by("aggregate_id", "seq"):
            found[event.aggregate_id].append(event)
    return found


def _saga_event(event: Event, traceparent: str | None) -> dict[str, Any]:
    """Returns an event of the saga. Its `sequence` is that of the order's saga, so its source is another one."""
    source = f"{settings.EVENT_SOURCE}:saga"
    cause = {"causationid": str(event.causation_id)} if event.causation_id else {}
    return document(
        id=str(event.pk),
        type=event.event_type,
        source=source,
        subject=str(event.aggregate_id),
        time=event.timestamp.isoformat(),
        sequence=event.seq,
        dataschema=f"{source}:{event.event_type}:{PAYLOAD_VERSION}",
        data=upcast(event.payload),
        traceparent=traceparent,
        **cause,
    )
