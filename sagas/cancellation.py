"""Cancelling an order: undo what is done, or tell the saga that is still running to turn back."""

from collections.abc import Callable
from uuid import UUID

from orders.models import SagaStyle
from sagas.choreography import driver as choreography
from sagas.models import SagaInstance, State
from sagas.orchestration.orchestrator import OrderSagaOrchestrator
from sagas.selectors import saga_of


def undo_orchestrated(saga: SagaInstance, reason: str) -> SagaInstance:
    return OrderSagaOrchestrator(saga).undo(reason)


UNDO: dict[str, Callable[[SagaInstance, str], SagaInstance]] = {
    SagaStyle.ORCHESTRATION: undo_orchestrated,
    SagaStyle.CHOREOGRAPHY: choreography.undo,
}
WISH: dict[str, Callable[[SagaInstance, str], None]] = {
    SagaStyle.ORCHESTRATION: OrderSagaOrchestrator.wish_cancelled,
    SagaStyle.CHOREOGRAPHY: choreography.wish_cancelled,
}


def cancel_order(order_id: UUID, reason: str) -> SagaInstance:
    """Undo everything. A second call changes nothing; a saga that has not ended yet turns back by itself.

    Raises SagaNotFound, and AlreadyShipped when it is too late.
    """
    saga = saga_of(order_id)
    if saga.status == State.COMPLETED:
        return UNDO[saga.saga_type](saga, reason)
    if not saga.at_rest:
        WISH[saga.saga_type](saga, reason)
    return saga
