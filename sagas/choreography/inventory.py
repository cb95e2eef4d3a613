"""How inventory reacts to the other contexts' events."""

from inventory import services as inventory
from inventory.errors import OutOfStock, ReservationDiffers, ReservationEnded, ReservationExpired
from sagas.choreography.history import History
from sagas.choreography.reactions import reacts_to
from sagas.choreography.signals import (
    order_cancel_requested,
    order_created,
    order_return_requested,
    order_timed_out,
    payment_failed,
    shipping_arranged,
    shipping_failed,
    stock_confirmed,
    stock_released,
    stock_reserved,
    stock_unavailable,
)


@reacts_to(order_created)
def reserve_when_order_created(history: History) -> None:
    if history.is_failing:
        return
    try:
        inventory.reserve_stock(history.order)
    except (OutOfStock, ReservationDiffers, ReservationEnded) as error:
        history.publish(stock_unavailable, error)
    else:
        history.publish(stock_reserved)


@reacts_to(shipping_arranged)
def confirm_when_shipping_arranged(history: History) -> None:
    if history.is_failing:
        return
    try:
        inventory.confirm_stock(history.order)
    except ReservationExpired as error:
        inventory.release_stock(history.returned_stock, error.detail)
        history.publish(stock_unavailable, error)
    else:
        history.publish(stock_confirmed)


@reacts_to(payment_failed, shipping_failed, order_cancel_requested, order_return_requested, order_timed_out)
def release_when_order_fails(history: History) -> None:
    inventory.release_stock(history.returned_stock, history.reason)
    if not history.any_has_happened(stock_released, stock_unavailable):
        history.publish(stock_released, reason=history.reason)
