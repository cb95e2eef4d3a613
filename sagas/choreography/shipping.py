"""What shipping does when it hears of the others."""

from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Accepted, Refused
from sagas.choreography.bus import reacts_to
from sagas.choreography.signals import (
    order_cancel_requested,
    order_timed_out,
    payment_completed,
    shipping_arranged,
    shipping_cancelled,
    shipping_failed,
    stock_reserved,
    stock_unavailable,
)
from sagas.choreography.story import Story
from shipping import services


def is_held_and_paid(story: Story) -> bool:
    """Whether both facts have happened, and nothing has come of that yet."""
    answered = story.is_failing or story.tells(shipping_arranged)
    return story.tells(stock_reserved, payment_completed) and not answered


@reacts_to(stock_reserved, payment_completed, asking=services.arrange, only_if=is_held_and_paid)
def arrange_when_held_and_paid(story: Story, answer: ProviderResponse | None) -> None:
    match answer:
        case ProviderResponse(outcome=Accepted(reference)):
            story.announce(shipping_arranged, tracking_number=reference, tries=answer.attempts)
        case ProviderResponse(outcome=Refused(error)):
            story.announce(shipping_failed, error, tries=answer.attempts)


@reacts_to(stock_unavailable, order_cancel_requested, order_timed_out, asking=services.cancel)
def call_off_when_given_up(story: Story, answer: ProviderResponse | None) -> None:
    if not story.tells_any(shipping_failed, shipping_cancelled):
        story.announce(shipping_cancelled)
