"""Finds sagas."""

from uuid import UUID

from sagas.errors import SagaNotFound
from sagas.models import SagaInstance


def find_saga(order_id: UUID) -> SagaInstance:
    """Raises SagaNotFound."""
    try:
        return SagaInstance.objects.get(order_id=order_id)
    except SagaInstance.DoesNotExist:
        raise SagaNotFound(order_id=str(order_id)) from None
