"""The events of an order. Each is a signal; what is sent with it is the recorded event."""

from typing import Any

from django.dispatch import Signal

from sagas.events import EventType
from sagas.models import State


class OrderEvent(Signal):
    """Something that has happened to an order, and the state that its saga reaches with it, if any."""

    def __init__(self, event_type: EventType, reaches: State | None = None) -> None:
        super().__init__()
        self.event_type, self.reaches = event_type, reaches

    def connect(self, receiver: Any, *args: Any, **kwargs: Any) -> None:
        """Connects a reaction. Local ones come before one that calls a provider, in any order of imports."""
        super().connect(receiver, *args, **kwargs)
        self.receivers.sort(key=lambda entry: entry[1].rank)

    @property
    def reactions(self) -> list[Any]:
        """The connected reactions, in the order of delivery."""
        return [entry[1] for entry in self.receivers]

    def __repr__(self) -> str:
        return str(self.event_type)


order_confirmed = OrderEvent(EventType.ORDER_CONFIRMED)
order_created = OrderEvent(EventType.ORDER_CREATED, State.ORDER_CREATED)
stock_reserved = OrderEvent(EventType.STOCK_RESERVED, State.STOCK_RESERVED)
payment_completed = OrderEvent(EventType.PAYMENT_COMPLETED, State.PAYMENT_COMPLETED)
shipping_arranged = OrderEvent(EventType.SHIPPING_ARRANGED, State.SHIPPING_ARRANGED)
stock_confirmed = OrderEvent(EventType.STOCK_CONFIRMED)
order_completed = OrderEvent(EventType.ORDER_COMPLETED, State.COMPLETED)
attempt_failed = OrderEvent(EventType.ATTEMPT_FAILED)

stock_unavailable = OrderEvent(EventType.STOCK_UNAVAILABLE, State.COMPENSATION_STARTED)
payment_failed = OrderEvent(EventType.PAYMENT_FAILED, State.COMPENSATION_STARTED)
shipping_failed = OrderEvent(EventType.SHIPPING_FAILED, State.COMPENSATION_STARTED)
order_cancel_requested = OrderEvent(EventType.ORDER_CANCEL_REQUESTED, State.COMPENSATION_STARTED)
order_return_requested = OrderEvent(EventType.ORDER_RETURN_REQUESTED, State.COMPENSATION_STARTED)
order_timed_out = OrderEvent(EventType.ORDER_TIMED_OUT, State.COMPENSATION_STARTED)

stock_released = OrderEvent(EventType.STOCK_RELEASED)
payment_cancelled = OrderEvent(EventType.PAYMENT_CANCELLED)
payment_refunded = OrderEvent(EventType.PAYMENT_REFUNDED)
shipping_cancelled = OrderEvent(EventType.SHIPPING_CANCELLED)
shipping_returned = OrderEvent(EventType.SHIPPING_RETURNED)
order_returned = OrderEvent(EventType.ORDER_RETURNED, State.FAILED)
order_cancelled = OrderEvent(EventType.ORDER_CANCELLED, State.FAILED)

EVENTS: dict[str, OrderEvent] = {
    **{event_type: OrderEvent(event_type) for event_type in EventType},
    **{event.event_type: event for event in list(globals().values()) if isinstance(event, OrderEvent)},
}
"""Every event by type. What happens outside a saga has no reactions."""

FAILURES = (
    stock_unavailable,
    payment_failed,
    shipping_failed,
    order_cancel_requested,
    order_return_requested,
    order_timed_out,
)
"""After any of these the order is failing: what it holds is given back, and nothing new is begun for it."""
