"""The only place that locks sagas. A saga's row is locked before any other row of its order."""

from copy import copy
from uuid import UUID

from cloudmart.database.clock import READ_AT
from cloudmart.database.prepared import Select
from sagas.errors import LeaseLost, SagaNotFound
from sagas.models import SagaInstance

CHANGED_BY_OTHERS = ("cancel_reason", "cancelled_by", "deadline_at", "read_at")
"""What another process may change in a saga, without its lease, and the time at which it was read."""

LOCK_HELD = Select(
    lambda order_id: (
        SagaInstance.objects.select_for_update()
        .filter(order_id=order_id)
        .annotate(**READ_AT)
        .values_list("fence", *CHANGED_BY_OTHERS)
    )
)
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


def lock_held_saga(saga: SagaInstance) -> SagaInstance:
    """Locks the row of a saga whose lease the caller holds. Returns an updated copy of `saga`.

    Only what others may have changed is read: nobody else writes the rest. Raises LeaseLost.
    """
    fence, *changed = LOCK_HELD.first(order_id=saga.order_id) or (None,)
    if fence != saga.fence:
        raise LeaseLost(str(saga.pk))
    locked = copy(saga)
    vars(locked).update(zip(CHANGED_BY_OTHERS, changed, strict=True))
    return locked
