"""The facts of an order's life. Each is a signal; what is sent is the recorded event."""

from django.dispatch import Signal

from sagas.models import State


class Fact(Signal):
    """Something that has happened to an order, and the state that its saga is in from then on, if that changes."""

    def __init__(self, event_type: str, reaches: State | None = None) -> None:
        super().__init__()
        self.event_type, self.reaches = event_type, reaches

    def __repr__(self) -> str:
        return self.event_type


order_created = Fact("OrderCreated", State.ORDER_CREATED)
stock_reserved = Fact("StockReserved", State.STOCK_RESERVED)
payment_completed = Fact("PaymentCompleted", State.PAYMENT_COMPLETED)
shipping_arranged = Fact("ShippingArranged", State.SHIPPING_ARRANGED)
stock_confirmed = Fact("StockConfirmed")
order_completed = Fact("OrderCompleted", State.COMPLETED)

stock_unavailable = Fact("StockUnavailable", State.COMPENSATION_STARTED)
payment_failed = Fact("PaymentFailed", State.COMPENSATION_STARTED)
shipping_failed = Fact("ShippingFailed", State.COMPENSATION_STARTED)
order_cancel_requested = Fact("OrderCancelRequested", State.COMPENSATION_STARTED)
order_timed_out = Fact("OrderTimedOut", State.COMPENSATION_STARTED)

stock_released = Fact("StockReleased")
payment_cancelled = Fact("PaymentCancelled")
payment_refunded = Fact("PaymentRefunded")
shipping_cancelled = Fact("ShippingCancelled")
order_cancelled = Fact("OrderCancelled", State.FAILED)

FACTS = {fact.event_type: fact for fact in list(globals().values()) if isinstance(fact, Fact)}

FAILURES = (stock_unavailable, payment_failed, shipping_failed, order_cancel_requested, order_timed_out)
"""After any of these the order is given up: what it holds is given back, and nothing new is begun for it."""
