"""Recording an event, in the transaction that decides it. Nothing leaves the shop here."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F

from cloudmart.database.prepared import Insert, Select, Update
from cloudmart.kernel import tracing
from cloudmart.outbox.models import EventSequence, OutboxEvent
from cloudmart.outbox.types import EventType

ORDER, BOOK = "order", "book"
"""What a subject is."""

SAGA_EVENTS = "order.events"
"""The type of a row that stands for events of the saga: its payload has the `first` and the `last` of their `seq`."""

MAILED = {
    EventType.ORDER_COMPLETED,
    EventType.ORDER_CANCELLED,
    EventType.ORDER_RETURNED,
    EventType.PAYMENT_REFUNDED,
    EventType.PARCEL_SHIPPED,
}
"""The events of which the customer may get a mail."""

INSERT, INSERT_SEQUENCE = Insert(OutboxEvent), Insert(EventSequence)
SEQUENCE = Update(lambda subject: EventSequence.objects.filter(pk=subject))
LATEST = Select(lambda subject: EventSequence.objects.filter(pk=subject).values_list("latest"))
ONE_MORE = F("latest") + 1


def record(
    event_type: EventType, aggregate_type: str, subject: UUID | str, data: dict[str, Any], *, is_mailed: bool = True
) -> None:
    """Records the event, with the next number of its subject's sequence. `data` is JSON.

    The customer gets no mail of it unless `is_mailed`.

    Call it as late in the transaction as possible: until COMMIT, others wait that record an event of the same subject.
    """
    INSERT(
        _row(
            event_type,
            aggregate_type,
            subject,
            data,
            sequence=_next_sequence(f"{aggregate_type}:{subject}"),
            for_mail=is_mailed and event_type in MAILED,
            for_webhooks=True,
            for_stream=bool(settings.EVENTS_URL),
        )
    )


def record_saga_events(order_id: UUID, first: int, last: int) -> None:
    """Has the stream publish these events of the saga. Does nothing without EVENTS_URL.

    The caller has locked the saga, or its draft, or has just inserted it.
    """
    if settings.EVENTS_URL and first <= last:
        INSERT(_row(SAGA_EVENTS, ORDER, order_id, {"first": first, "last": last}, for_stream=True))


def _row(
    event_type: str, aggregate_type: str, subject: UUID | str, data: dict[str, Any], **columns: Any
) -> OutboxEvent:
    return OutboxEvent(
        type=event_type,
        aggregate_type=aggregate_type,
        subject=str(subject),
        payload=data,
        traceparent=tracing.current_traceparent(),
        **{"for_mail": False, "for_webhooks": False, **columns},
    )


def _next_sequence(subject: str) -> int:
    """Returns 1 for the first event of a subject."""
    if INSERT_SEQUENCE.unless_exists(EventSequence(subject=subject, latest=1)):
        return 1
    SEQUENCE(subject=subject).set(latest=ONE_MORE)
    ((latest,),) = LATEST(subject=subject)
    return latest
