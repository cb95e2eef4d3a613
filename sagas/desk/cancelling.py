"""Cancelling an order: undo what is done, or have the saga that is still running turn back."""

from collections.abc import Callable
from uuid import UUID

from cloudmart.kernel.order import SAGA
from cloudmart.kernel.stopping import ShouldStop, never
from orders.models import SagaStyle
from sagas.choreography import driver as choreography
from sagas.engine.lease import ONCE
from sagas.engine.recovery import wait_after_error
from sagas.errors import LeaseLost
from sagas.models import SagaInstance
from sagas.orchestration.orchestrator import OrderSagaOrchestrator
from sagas.selectors import find_saga

CANCELLED_BY_CUSTOMER = "The customer has cancelled."
CANCELLED_BY_SHOP = "The shop has cancelled the order."
"""Why an order is cancelled, where nobody gives a reason."""

CANCEL: dict[str, Callable[[SagaInstance, str, str, ShouldStop], SagaInstance]] = {
    SagaStyle.ORCHESTRATION: OrderSagaOrchestrator.cancel,
    SagaStyle.CHOREOGRAPHY: choreography.cancel,
}


def cancel_order(order_id: UUID, reason: str, actor: str = SAGA, should_stop: ShouldStop = never) -> SagaInstance:
    """Undo everything, for `actor`. A second call changes nothing.

    A saga that has not ended yet turns back at its next boundary.

    When the undoing breaks off by an unforeseen error, the saga waits. Raises SagaNotFound, and AlreadyShipped when it
    is too late.
    """
    saga = find_saga(order_id)
    if saga.is_compensating:
        return saga
    fence = saga.fence
    try:
        return CANCEL[saga.saga_type](saga, reason, actor, should_stop)
    except LeaseLost:
        return cancel_order(order_id, reason, actor, should_stop)
    except Exception as error:
        if saga.fence == fence:
            raise
        return wait_after_error(saga, error, attention_after=ONCE)
