"""When an order's stock, payment and parcel may be asked for by hand.

A guard runs in the transaction that begins the command, and locks the order's saga and the order. Until that commits
no saga begins or turns back, and no order is placed or cancelled.
"""

from contextlib import suppress
from uuid import UUID

from cloudmart.api.schema import refuses
from orders.errors import OrderCancelled, OrderIsDraft
from orders.locks import lock_order
from orders.models import Order, Status
from sagas.errors import SagaNotFound, SagaRunning
from sagas.locks import lock_saga
from sagas.models import SagaInstance


@refuses(OrderIsDraft, SagaRunning)
def check_saga_rests(order_id: UUID) -> None:
    """Pass where the order is placed and its saga is finished, and where the order is not ours.

    Two drivers of one provider call are not safe, so nobody else asks while a saga is at work. What is settled before
    an order is placed would be taken for what its saga has done.
    """
    _lock_settled(order_id)


@refuses(OrderIsDraft, SagaRunning, OrderCancelled)
def check_is_wanted(order_id: UUID) -> None:
    """Pass as above, but not where the order is cancelled: nothing more is held, charged or sent for it."""
    order = _lock_settled(order_id)
    if order and order.status == Status.CANCELLED:
        raise OrderCancelled("The order was cancelled.", order_id=str(order_id))


def _lock_settled(order_id: UUID) -> Order | None:
    """Returns the locked order; None where it is not ours. Raises OrderIsDraft and SagaRunning."""
    saga: SagaInstance | None = None
    with suppress(SagaNotFound):
        saga = lock_saga(order_id)
    order = lock_order(order_id)
    if order and order.status == Status.DRAFT:
        raise OrderIsDraft(order_id=str(order_id))
    began_meanwhile = saga is None and SagaInstance.objects.filter(order_id=order_id).exists()
    if began_meanwhile or (saga and not saga.is_finished):
        raise SagaRunning(order_id=str(order_id))
    return order
