"""What payments does when it hears of the others."""

from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Accepted, Refused
from payments import selectors, services
from payments.models import Status
from sagas.choreography.bus import reacts_to
from sagas.choreography.signals import (
    order_cancel_requested,
    order_created,
    order_timed_out,
    payment_cancelled,
    payment_completed,
    payment_failed,
    payment_refunded,
    shipping_failed,
    stock_unavailable,
)
from sagas.choreography.story import Story


@reacts_to(order_created, asking=services.charge, only_if=lambda story: not story.is_failing)
def charge_when_order_created(story: Story, answer: ProviderResponse | None) -> None:
    match answer:
        case ProviderResponse(outcome=Accepted(reference)):
            story.announce(payment_completed, transaction_id=reference, tries=answer.attempts)
        case ProviderResponse(outcome=Refused(error)):
            story.announce(payment_failed, error, tries=answer.attempts)


@reacts_to(stock_unavailable, shipping_failed, order_cancel_requested, order_timed_out, asking=services.refund)
def give_back_when_given_up(story: Story, answer: ProviderResponse | None) -> None:
    if story.tells_any(payment_failed, payment_cancelled, payment_refunded):
        return
    refunded = selectors.status_of(story.order.order_id) == Status.REFUNDED
    story.announce(payment_refunded if refunded else payment_cancelled)
