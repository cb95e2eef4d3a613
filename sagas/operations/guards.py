"""When direct commands may change an order's stock, payment and parcel.

A guard runs in the first transaction of the command, and locks the order's saga and the order. Until it commits, no
saga starts or compensates, and no order is placed or cancelled.
"""

from contextlib import suppress
from uuid import UUID

from cloudmart.api.schema import refuses
from orders.errors import OrderCancelled, OrderIsDraft, OrderReturned
from orders.locks import lock_order
from orders.models import Order, Status
from sagas.errors import SagaNotFound, SagaRunning
from sagas.locks import lock_saga
from sagas.models import SagaInstance


@refuses(OrderIsDraft, SagaRunning)
def check_saga_finished(order_id: UUID) -> None:
    """Passes if the order is placed and its saga is finished, or if the order is not ours.

    Two drivers of one provider call are not safe. What is settled before an order is placed would count as done by its
    saga. Raises OrderIsDraft and SagaRunning.
    """
    _lock_settled(order_id)


@refuses(OrderIsDraft, SagaRunning, OrderCancelled, OrderReturned)
def check_not_cancelled(order_id: UUID) -> None:
    """Passes as above, unless the order is cancelled or returned: nothing more is reserved, charged or sent for it.

    Raises OrderCancelled and OrderReturned.
    """
    order = _lock_settled(order_id)
    if order and order.status == Status.CANCELLED:
        raise OrderCancelled("The order was cancelled.", order_id=str(order_id))
    if order and order.status == Status.RETURNED:
        raise OrderReturned("The order was returned.", order_id=str(order_id))


def _lock_settled(order_id: UUID) -> Order | None:
    """Returns the locked order; None if it is not ours. Raises OrderIsDraft and SagaRunning."""
    saga: SagaInstance | None = None
    with suppress(SagaNotFound):
        saga = lock_saga(order_id)
    order = lock_order(order_id)
    if order and order.status == Status.DRAFT:
        raise OrderIsDraft(order_id=str(order_id))
    started_meanwhile = saga is None and SagaInstance.objects.filter(order_id=order_id).exists()
    if started_meanwhile or (saga and not saga.is_finished):
        raise SagaRunning(order_id=str(order_id))
    return order
