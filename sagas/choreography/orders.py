"""What the order desk does when it hears of the others."""

from orders import services as orders
from sagas.choreography.bus import reacts_to
from sagas.choreography.signals import (
    FAILURES,
    order_cancelled,
    order_completed,
    payment_cancelled,
    payment_failed,
    payment_refunded,
    shipping_cancelled,
    shipping_failed,
    stock_confirmed,
    stock_released,
    stock_unavailable,
)
from sagas.choreography.story import Story


@reacts_to(stock_confirmed)
def complete_when_stock_confirmed(story: Story) -> None:
    if not story.is_failing:
        orders.complete_order(story.order)
        story.announce(order_completed)


@reacts_to(*FAILURES, stock_released, payment_cancelled, payment_refunded, shipping_cancelled)
def cancel_when_nothing_is_held(story: Story) -> None:
    if story.is_failing and nothing_is_held(story) and not story.tells(order_cancelled):
        orders.cancel_order(story.order, story.why_failing)
        story.announce(order_cancelled)


def nothing_is_held(story: Story) -> bool:
    """Whether each of the others has said that it has given back, or never had, what was the order's."""
    no_stock = story.tells_any(stock_unavailable, stock_released)
    no_money = story.tells_any(payment_failed, payment_cancelled, payment_refunded)
    no_parcel = story.tells_any(payment_failed, shipping_failed, shipping_cancelled)
    return no_stock and no_money and no_parcel
