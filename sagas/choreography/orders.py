"""How orders reacts to the other contexts' events."""

from orders import services as orders
from sagas.choreography.history import History
from sagas.choreography.reactions import reacts_to
from sagas.choreography.signals import (
    FAILURES,
    order_cancelled,
    order_completed,
    order_return_requested,
    order_returned,
    payment_cancelled,
    payment_failed,
    payment_refunded,
    shipping_cancelled,
    shipping_failed,
    shipping_returned,
    stock_confirmed,
    stock_released,
    stock_unavailable,
)


@reacts_to(stock_confirmed)
def complete_when_stock_confirmed(history: History) -> None:
    if not history.is_failing:
        orders.complete_order(history.order)
        history.publish(order_completed)


@reacts_to(*FAILURES, stock_released, payment_cancelled, payment_refunded, shipping_cancelled, shipping_returned)
def cancel_when_everything_is_returned(history: History) -> None:
    if not everything_is_returned(history) or history.any_has_happened(order_cancelled, order_returned):
        return
    why = {"code": (history.failure or {}).get("code"), "reason": history.reason}
    if history.has_happened(order_return_requested):
        orders.return_order(history.order, history.reason)
        history.publish(order_returned, **why)
    else:
        orders.cancel_order(history.order, history.reason)
        history.publish(order_cancelled, **why)


def everything_is_returned(history: History) -> bool:
    """Returns True if no other context holds anything for the failing order any more."""
    no_stock = history.any_has_happened(stock_unavailable, stock_released)
    no_money = history.any_has_happened(payment_failed, payment_cancelled, payment_refunded)
    no_parcel = history.any_has_happened(shipping_failed, shipping_cancelled, shipping_returned)
    return history.is_failing and no_stock and no_money and no_parcel
