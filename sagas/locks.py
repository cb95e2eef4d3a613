"""The only place that locks sagas. A saga's row is locked before any other row of its order."""

from uuid import UUID

from cloudmart.database.clock import READ_AT
from cloudmart.database.prepared import Select
from sagas.errors import LeaseLost, SagaNotFound
from sagas.models import SagaInstance

LOCK = Select(lambda order_id: SagaInstance.objects.select_for_update().filter(order_id=order_id).annotate(**READ_AT))


def lock_saga(order_id: UUID, fence: int | None = None) -> SagaInstance:
    """Returns the locked row, with the database's time in `read_at`.

    Raises SagaNotFound, and LeaseLost if `fence` is given and is no longer that of the saga's lease.
    """
    saga = LOCK.first(order_id=order_id)
    if saga is None:
        raise SagaNotFound(order_id=str(order_id))
    if fence not in {None, saga.fence}:
        raise LeaseLost(str(saga.pk))
    return saga
