"""How shipping reacts to the other contexts' events."""

from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Accepted, Refused
from sagas.choreography.history import History
from sagas.choreography.reactions import reacts_to
from sagas.choreography.signals import (
    order_cancel_requested,
    order_return_requested,
    order_timed_out,
    payment_completed,
    payment_failed,
    shipping_arranged,
    shipping_cancelled,
    shipping_failed,
    shipping_returned,
    stock_reserved,
    stock_unavailable,
)
from sagas.engine.style import Settled
from shipping import services


def is_ready_to_ship(history: History) -> bool:
    """Returns True if the order is reserved and paid, and no delivery is arranged yet."""
    is_done = history.is_failing or history.has_happened(shipping_arranged)
    return history.has_happened(stock_reserved, payment_completed) and not is_done


@reacts_to(stock_reserved, payment_completed, calls=services.arrange, only_if=is_ready_to_ship)
def arrange_when_reserved_and_paid(history: History, settled: Settled | None) -> None:
    match settled:
        case Settled(response=ProviderResponse(outcome=Accepted())):
            history.publish(shipping_arranged, **settled.details)
        case Settled(response=ProviderResponse(outcome=Refused(error))):
            history.publish(shipping_failed, error, **settled.details)


@reacts_to(stock_unavailable, payment_failed, order_cancel_requested, order_timed_out, calls=services.cancel)
def cancel_when_order_fails(history: History, settled: Settled | None) -> None:
    if not history.any_has_happened(shipping_failed, shipping_cancelled):
        history.publish(shipping_cancelled, **(settled.details if settled else {}))


@reacts_to(order_return_requested)
def take_back_when_order_is_returned(history: History) -> None:
    services.take_back(history.order)
    if not history.has_happened(shipping_returned):
        history.publish(shipping_returned)
