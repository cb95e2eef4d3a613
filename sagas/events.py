"""The events of orders: their types, their data, and the recording of those that happen outside a saga."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import IntegerField, Subquery, Value
from django.db.models.functions import Coalesce
from structlog import get_logger

from cloudmart.database.clock import NOW
from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.metrics import harmless
from cloudmart.outbox.recording import record_saga_events
from sagas.models import Event

logger = get_logger(__name__)

PAYLOAD_VERSION = 3
"""Of the stored data. Version 2 has `total` in place of `total_amount`, and neither `book_id` nor `quantity`.

Version 1 has `tries` in place of `attempts`, `schema` in place of `version`, and nothing of its order but `total`.
"""

RENAMED = {"total": "total_amount", "tries": "attempts"}
"""Members of earlier versions, with their names of now."""


class EventType(TranslatedChoices):
    """What can happen to an order."""

    ITEM_ADDED = "ItemAdded"  #: Copies of a book are added to the draft, and reserved.
    ITEM_REMOVED = "ItemRemoved"  #: Copies of a book are removed from the draft, and released.
    ORDER_CONFIRMED = "OrderConfirmed"  #: The draft is placed.
    ORDER_CREATED = "OrderCreated"
    STOCK_RESERVED = "StockReserved"
    PAYMENT_COMPLETED = "PaymentCompleted"
    SHIPPING_ARRANGED = "ShippingArranged"
    STOCK_CONFIRMED = "StockConfirmed"  #: The reserved stock is sold.
    ORDER_COMPLETED = "OrderCompleted"
    ORDER_SHIPPED = "OrderShipped"  #: The carrier has collected the parcel.
    ORDER_DELIVERED = "OrderDelivered"  #: The customer has the parcel.
    ATTEMPT_FAILED = "AttemptFailed"  #: One attempt of a provider call failed; what follows says what became of it.
    STOCK_UNAVAILABLE = "StockUnavailable"
    PAYMENT_FAILED = "PaymentFailed"
    SHIPPING_FAILED = "ShippingFailed"
    ORDER_CANCEL_REQUESTED = "OrderCancelRequested"
    ORDER_RETURN_REQUESTED = "OrderReturnRequested"  #: The delivered books have come back.
    ORDER_TIMED_OUT = "OrderTimedOut"  #: The order is past its deadline.
    STOCK_RELEASED = "StockReleased"  #: What was reserved is released, or what was sold is put back.
    PAYMENT_CANCELLED = "PaymentCancelled"  #: Nothing was charged, and nothing will be.
    PAYMENT_REFUNDED = "PaymentRefunded"
    SHIPPING_CANCELLED = "ShippingCancelled"  #: No parcel is sent, and none will be.
    SHIPPING_RETURNED = "ShippingReturned"  #: The delivered parcel has come back.
    ORDER_RETURNED = "OrderReturned"  #: The delivered order has come back: its money is refunded.
    ORDER_CANCELLED = "OrderCancelled"  #: Nothing is reserved, charged or sent for the order, or the draft, any more.


def record(order_id: UUID, event_type: EventType, data: dict[str, Any]) -> None:
    """Records that this has happened to an order outside its saga. No reaction follows: it counts as delivered.

    `data` is JSON. The caller has locked the order's saga, or its draft, in the open transaction: nobody else records
    an event of the order meanwhile.
    """
    payload = {"version": PAYLOAD_VERSION, "order_id": str(order_id), **data}
    event = Event.objects.create(
        event_type=event_type, aggregate_id=order_id, seq=_next_seq(order_id), payload=payload, delivered_at=NOW
    )
    if settings.EVENTS_URL:
        event.refresh_from_db(fields=["seq"])
        record_saga_events(order_id, event.seq, event.seq)
    transaction.on_commit(partial(log_published, [event]))


def events_of(order_id: UUID) -> list[Event]:
    """Returns the recorded events of an order in their order, with payloads of the current version."""
    events = list(Event.objects.filter(aggregate_id=order_id).order_by("seq"))
    for event in events:
        event.payload = upcast(event.payload)
    return events


def upcast(payload: dict[str, Any]) -> dict[str, Any]:
    """Returns a stored payload in the current version."""
    if payload.get("version") == PAYLOAD_VERSION:
        return payload
    data = {RENAMED.get(name, name): value for name, value in payload.items() if name != "schema"}
    return {**data, **(_books_of(data["lines"]) if "lines" in data else {}), "version": PAYLOAD_VERSION}


@harmless
def log_published(events: Iterable[Event]) -> None:
    """Logs events that are committed. An attempt was logged when it failed."""
    for event in events:
        if event.event_type != EventType.ATTEMPT_FAILED:
            logger.info("event published", event_type=str(event.event_type), order_id=str(event.aggregate_id))


def forget(order_id: UUID) -> None:
    """Deletes the events of a draft that is deleted. The stream skips those that it does not have yet."""
    Event.objects.filter(aggregate_id=order_id).delete()


def order_data(order: dict[str, Any]) -> dict[str, Any]:
    """Returns what the events of an order say of it, from its snapshot as JSON. Amounts are in minor units.

    `quantity` counts all copies. `book_id` is null if the order has several books.
    """
    lines, totals = order["lines"], order["totals"]
    return {
        "order_id": order["order_id"],
        "customer_id": order["customer_id"],
        **_books_of(lines),
        "lines": lines,
        **{name: amount for name, amount in totals.items() if name != "total"},
        "total_amount": totals["total"],
        "currency": settings.CURRENCY,
    }


def attempt_data(command: str, attempt: int, error: str, failed_at: datetime) -> dict[str, Any]:
    """Returns the data of an AttemptFailed event. Attempts are numbered from 1 in each call of a provider."""
    return {"command": command, "attempt": attempt, "error": error, "failed_at": failed_at.isoformat()}


def _books_of(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    book_id = lines[0]["book_id"] if len(lines) == 1 else None
    return {"book_id": book_id, "quantity": sum(line["quantity"] for line in lines)}


class _Derived(Subquery):
    """A subquery that MySQL allows in an INSERT into the table that it reads: it is not merged into the statement."""

    template = "(SELECT * FROM (%(subquery)s) AS derived)"


def _next_seq(order_id: UUID) -> Any:
    """Returns the expression of the order's next `seq`: reading it takes no statement of its own."""
    latest = Event.objects.filter(aggregate_id=order_id).order_by("-seq").values("seq")[:1]
    return Coalesce(_Derived(latest), Value(0), output_field=IntegerField()) + 1
