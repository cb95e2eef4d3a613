"""The only place that locks sagas. The saga's row is locked before any other row of its order."""

from uuid import UUID

from sagas.errors import LeaseLost, SagaNotFound
from sagas.models import SagaInstance


def lock_saga(order_id: UUID, fence: int | None = None) -> SagaInstance:
    """Raises SagaNotFound; and LeaseLost when this is no longer the fence of the saga's lease."""
    try:
        saga = SagaInstance.objects.select_for_update().get(order_id=order_id)
    except SagaInstance.DoesNotExist:
        raise SagaNotFound(order_id=str(order_id)) from None
    if fence not in {None, saga.fence}:
        raise LeaseLost(str(saga.pk))
    return saga
