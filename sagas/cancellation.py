"""Cancelling an order: undo what is done, or have the saga that is still running turn back."""

from collections.abc import Callable
from uuid import UUID

from cloudmart.kernel.following import IsLeaving, never
from orders.models import SagaStyle
from sagas.choreography import driver as choreography
from sagas.errors import Overtaken
from sagas.models import SagaInstance
from sagas.orchestration.orchestrator import OrderSagaOrchestrator
from sagas.selectors import saga_of

CANCEL: dict[str, Callable[[SagaInstance, str, IsLeaving], SagaInstance]] = {
    SagaStyle.ORCHESTRATION: OrderSagaOrchestrator.cancel,
    SagaStyle.CHOREOGRAPHY: choreography.cancel,
}


def cancel_order(order_id: UUID, reason: str, is_leaving: IsLeaving = never) -> SagaInstance:
    """Undo everything. A second call changes nothing; a saga that has not ended yet turns back at its next boundary.

    Raises SagaNotFound, and AlreadyShipped when it is too late.
    """
    saga = saga_of(order_id)
    if saga.is_giving_up:
        return saga
    try:
        return CANCEL[saga.saga_type](saga, reason, is_leaving)
    except Overtaken:
        return cancel_order(order_id, reason, is_leaving)
