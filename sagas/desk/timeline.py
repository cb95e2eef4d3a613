"""What has happened to an order, the same for both styles: its draft's events, its saga's, its parcel's."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cloudmart.kernel.viewers import sees_everything
from orders.models import Order, SagaStyle
from orders.selectors import find_order
from sagas.desk.disclosure import for_customers
from sagas.events import EventType, events_of, order_data
from sagas.models import Event, SagaInstance, SagaStepLog
from sagas.orchestration.events import events_in

OF_EVERY_ENTRY = {"version", "order_id", "customer_id", "book_id", "quantity", "total_amount", "actor"}
"""The members of a payload that do not stand in the `data` of an entry."""

TIMES = {"started_at", "failed_at"}
"""Of an attempt; they do not stand there either."""

AMOUNTS = {"subtotal", "discount", "tax", "currency"}
LINES, CURRENCY = {"lines"}, {"currency"}

DETAILS_OF_ORDER: dict[str, set[str]] = {
    **dict.fromkeys(
        (
            EventType.ORDER_CONFIRMED,
            EventType.ORDER_CREATED,
            EventType.ORDER_COMPLETED,
            EventType.ORDER_CANCELLED,
            EventType.ORDER_RETURNED,
        ),
        AMOUNTS | LINES,
    ),
    **dict.fromkeys((EventType.STOCK_RESERVED, EventType.STOCK_CONFIRMED, EventType.STOCK_RELEASED), LINES),
    **dict.fromkeys((EventType.PAYMENT_COMPLETED, EventType.PAYMENT_REFUNDED, EventType.ITEM_ADDED), CURRENCY),
}
"""Which details of the order stand in the `data` of an entry; every choreographed event has all of them."""

BEFORE_THE_SAGA = {EventType.ITEM_ADDED, EventType.ITEM_REMOVED, EventType.ORDER_CONFIRMED}

COMPLETED_OR_FAILING = {
    EventType.ORDER_COMPLETED,
    EventType.STOCK_UNAVAILABLE,
    EventType.PAYMENT_FAILED,
    EventType.SHIPPING_FAILED,
    EventType.ORDER_CANCEL_REQUESTED,
    EventType.ORDER_RETURN_REQUESTED,
    EventType.ORDER_TIMED_OUT,
}
"""The carrier's reports are recorded after one of these, and not while the saga still goes forward."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that has happened to an order. Amounts are in minor units."""

    position: int
    event_type: str
    order_id: UUID
    customer_id: str
    book_id: str | None
    quantity: int
    total_amount: int
    timestamp: datetime
    style: str
    actor: str | None
    data: dict[str, Any]


def timeline_of(order_id: UUID, viewer: Any) -> list[Entry]:
    """Returns what has happened to the order, in order. Only operators see who did it, and how calls have failed.

    Raises OrderNotFound, also if the viewer may not see the order.
    """
    order = find_order(order_id, viewer)
    events, log = events_of(order_id), list(SagaStepLog.objects.filter(saga__order_id=order_id))
    saga = SagaInstance.objects.filter(order_id=order_id).first()  # read last: it says why the log undoes anything
    if saga and saga.saga_type == SagaStyle.ORCHESTRATION:
        events = merged(events, events_in(saga, log))
    return timeline(order, saga, events, is_for_operators=sees_everything(viewer))


def timeline(
    order: Order, saga: SagaInstance | None, events: Iterable[Event], *, is_for_operators: bool
) -> list[Entry]:
    """Returns an entry for each of these events of the order."""
    always = {"customer_id": order.customer_id, "book_id": None, "quantity": 0, "total_amount": order.total}
    if saga:
        always |= order_data(saga.payload)
    return [
        Entry(
            position=position,
            event_type=event.event_type,
            order_id=order.pk,
            **{name: data[name] for name in ("customer_id", "book_id", "quantity", "total_amount")},
            timestamp=datetime.fromisoformat(data["failed_at"]) if "failed_at" in data else event.timestamp,
            style=order.saga_style,
            actor=data.get("actor"),
            data=specific_data(event.event_type, data),
        )
        for position, event in enumerate(events, start=1)
        for data in [{**always, **(event.payload if is_for_operators else for_customers(event.payload))}]
    ]


def specific_data(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """Returns what this kind of event says besides what every entry has."""
    left_out = OF_EVERY_ENTRY | TIMES | (AMOUNTS | LINES) - DETAILS_OF_ORDER.get(event_type, set())
    return {name: value for name, value in data.items() if name not in left_out}


def merged(recorded: list[Event], logged: list[Event]) -> list[Event]:
    """Returns the events that were recorded outside an orchestrated saga, and those of its log, in their order.

    A draft's precede the saga. The others follow its completion or its failure, and are ordered by time from there on.
    The times of the log are those of several machines, so it keeps its own order.
    """
    first = [event for event in recorded if event.event_type in BEFORE_THE_SAGA]
    later = [event for event in recorded if event.event_type not in BEFORE_THE_SAGA]
    end = next(
        (number for number, event in enumerate(logged, 1) if event.event_type in COMPLETED_OR_FAILING), len(logged)
    )
    before, after = logged[:end], logged[end:]
    for event in later:
        follows = [number for number, each in enumerate(after) if each.timestamp <= event.timestamp]
        after.insert(follows[-1] + 1 if follows else 0, event)
    return [*first, *before, *after]
