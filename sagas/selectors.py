"""Finds sagas."""

from collections.abc import Collection
from uuid import UUID

from sagas.errors import SagaNotFound
from sagas.models import UNFINISHED, SagaInstance


def find_saga(order_id: UUID) -> SagaInstance:
    """Raises SagaNotFound."""
    try:
        return SagaInstance.objects.get(order_id=order_id)
    except SagaInstance.DoesNotExist:
        raise SagaNotFound(order_id=str(order_id)) from None


def unfinished_of(order_ids: Collection[UUID]) -> set[UUID]:
    """Returns those of these orders whose saga is not finished, and will go on by itself."""
    unfinished = SagaInstance.objects.filter(order_id__in=order_ids, status__in=UNFINISHED, abandoned_at=None)
    return set(unfinished.values_list("order_id", flat=True))


def is_unfinished(order_id: UUID) -> bool:
    return bool(unfinished_of([order_id]))
