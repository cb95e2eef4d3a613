"""How payments reacts to the other contexts' events."""

from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Accepted, Refused
from payments import selectors, services
from payments.models import Status
from sagas.choreography.history import History
from sagas.choreography.reactions import reacts_to
from sagas.choreography.signals import (
    order_created,
    payment_cancelled,
    payment_completed,
    payment_failed,
    payment_refunded,
    shipping_cancelled,
    shipping_failed,
    shipping_returned,
)
from sagas.engine.style import Settled


@reacts_to(order_created, calls=services.charge, only_if=lambda history: not history.is_failing)
def charge_when_order_created(history: History, settled: Settled | None) -> None:
    match settled:
        case Settled(response=ProviderResponse(outcome=Accepted())):
            history.publish(payment_completed, **settled.details)
        case Settled(response=ProviderResponse(outcome=Refused(error))):
            history.publish(payment_failed, error, **settled.details)


@reacts_to(shipping_cancelled, shipping_failed, shipping_returned, calls=services.refund)
def refund_when_nothing_is_shipped(history: History, settled: Settled | None) -> None:
    if history.any_has_happened(payment_failed, payment_cancelled, payment_refunded):
        return
    is_refunded = selectors.status_of(history.order.order_id) == Status.REFUNDED
    details = settled.details if settled else {}
    history.publish(payment_refunded if is_refunded else payment_cancelled, **details)
