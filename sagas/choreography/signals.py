"""The events of an order. Each is a signal; what is sent with it is the recorded event."""

from typing import Any

from django.dispatch import Signal

from sagas.models import State


class OrderEvent(Signal):
    """Something that has happened to an order, and the state that its saga reaches with it, if any."""

    def __init__(self, event_type: str, reaches: State | None = None) -> None:
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
        return self.event_type


order_created = OrderEvent("OrderCreated", State.ORDER_CREATED)
stock_reserved = OrderEvent("StockReserved", State.STOCK_RESERVED)
payment_completed = OrderEvent("PaymentCompleted", State.PAYMENT_COMPLETED)
shipping_arranged = OrderEvent("ShippingArranged", State.SHIPPING_ARRANGED)
stock_confirmed = OrderEvent("StockConfirmed")
order_completed = OrderEvent("OrderCompleted", State.COMPLETED)

stock_unavailable = OrderEvent("StockUnavailable", State.COMPENSATION_STARTED)
payment_failed = OrderEvent("PaymentFailed", State.COMPENSATION_STARTED)
shipping_failed = OrderEvent("ShippingFailed", State.COMPENSATION_STARTED)
order_cancel_requested = OrderEvent("OrderCancelRequested", State.COMPENSATION_STARTED)
order_timed_out = OrderEvent("OrderTimedOut", State.COMPENSATION_STARTED)

stock_released = OrderEvent("StockReleased")
payment_cancelled = OrderEvent("PaymentCancelled")
payment_refunded = OrderEvent("PaymentRefunded")
shipping_cancelled = OrderEvent("ShippingCancelled")
order_cancelled = OrderEvent("OrderCancelled", State.FAILED)

EVENTS = {event.event_type: event for event in list(globals().values()) if isinstance(event, OrderEvent)}

FAILURES = (stock_unavailable, payment_failed, shipping_failed, order_cancel_requested, order_timed_out)
"""After any of these the order is failing: what it holds is given back, and nothing new is begun for it."""
