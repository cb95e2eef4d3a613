"""The only place that locks sagas. The saga's row is locked before any other row of its order."""

from uuid import UUID

from sagas.errors import SagaNotFound
from sagas.models import SagaInstance


def lock_saga(order_id: UUID) -> SagaInstance:
    """Raises SagaNotFound."""
    try:
        return SagaInstance.objects.select_for_update().get(order_id=order_id)
    except SagaInstance.DoesNotExist:
        raise SagaNotFound(order_id=str(order_id)) from None
