"""What the stock room does when it hears of the others."""

from inventory import services as inventory
from inventory.errors import OutOfStock, ReservationDiffers, ReservationEnded, ReservationExpired
from sagas.choreography.bus import reacts_to
from sagas.choreography.signals import (
    order_cancel_requested,
    order_created,
    order_timed_out,
    payment_failed,
    shipping_arranged,
    shipping_failed,
    stock_confirmed,
    stock_released,
    stock_reserved,
    stock_unavailable,
)
from sagas.choreography.story import Story


@reacts_to(order_created)
def reserve_when_order_created(story: Story) -> None:
    if story.is_failing:
        return
    try:
        inventory.reserve_stock(story.order)
    except (OutOfStock, ReservationDiffers, ReservationEnded) as refusal:
        story.announce(stock_unavailable, refusal)
    else:
        story.announce(stock_reserved)


@reacts_to(shipping_arranged)
def confirm_when_shipping_arranged(story: Story) -> None:
    if story.is_failing:
        return
    try:
        inventory.confirm_stock(story.order)
    except ReservationExpired as refusal:
        inventory.release_stock(story.given_back, refusal.detail)
        story.announce(stock_unavailable, refusal)
    else:
        story.announce(stock_confirmed)


@reacts_to(payment_failed, shipping_failed, order_cancel_requested, order_timed_out)
def release_when_given_up(story: Story) -> None:
    inventory.release_stock(story.given_back, story.why_failing)
    if not story.tells_any(stock_released, stock_unavailable):
        story.announce(stock_released)
