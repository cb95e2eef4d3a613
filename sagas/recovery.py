"""Who may drive a saga that its first driver has left, and driving it on."""

from collections.abc import Callable
from uuid import UUID

from django.db.models import F

from orders.models import SagaStyle
from sagas.choreography import driver as choreography
from sagas.errors import SagaRunning
from sagas.models import SagaInstance
from sagas.orchestration.orchestrator import OrderSagaOrchestrator
from sagas.selectors import saga_of

RESUME: dict[str, Callable[[SagaInstance], SagaInstance]] = {
    SagaStyle.ORCHESTRATION: OrderSagaOrchestrator.resume,
    SagaStyle.CHOREOGRAPHY: choreography.resume,
}


def retry_saga(order_id: UUID) -> SagaInstance:
    """Drive a waiting saga on, without waiting any longer; one at rest stays as it is.

    Raises SagaNotFound, and SagaRunning while somebody else drives it.
    """
    saga = saga_of(order_id)
    if saga.at_rest:
        return saga
    claim(saga)
    return RESUME[saga.saga_type](saga)


def claim(saga: SagaInstance) -> None:
    """From now on the waiting saga is ours to drive. Raises SagaRunning when it is another's."""
    waiting = SagaInstance.objects.filter(pk=saga.pk, fence=saga.fence, wake_at__isnull=False)
    if not waiting.update(wake_at=None, fence=F("fence") + 1):
        raise SagaRunning(order_id=str(saga.order_id))
    saga.refresh_from_db()
