"""The operators' commands on a saga."""

from collections.abc import Callable, Mapping
from functools import partial
from uuid import UUID

from django.utils.translation import gettext_noop

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.kernel.text import LONGEST_REASON, storable
from cloudmart.providers.calling import nothing
from sagas.desk.actions import recorded
from sagas.desk.engine import engine
from sagas.engine.lease import acquire_for_operator, release, request_cancellation
from sagas.engine.style import First
from sagas.engine.waking import wake
from sagas.errors import SagaAbandoned, SagaRunning
from sagas.locks import lock_saga
from sagas.models import OperatorCommand, SagaInstance
from sagas.selectors import find_saga
from shipping import services as shipping

Handler = Callable[[UUID, str, str, ShouldStop], SagaInstance]
"""Takes the order, the reason, the actor, and when to stop."""


def run_command(
    command: OperatorCommand,
    order_id: UUID,
    actor: str,
    reason: str,
    should_stop: ShouldStop = never,
    first: First = nothing,
    handlers: Mapping[str, Handler] | None = None,
) -> SagaInstance:
    """Runs the command on the order's saga, and records it. Raises SagaNotFound, and what the handler raises."""
    handler = (handlers or HANDLERS)[command]
    act = partial(handler, order_id, reason, actor, should_stop)
    return recorded(command, order_id, actor, reason, first, act)


def retry_saga(order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never) -> SagaInstance:
    """Resumes a waiting saga now. A finished one stays as it is. Raises SagaRunning and SagaAbandoned."""
    saga = find_saga(order_id)
    if saga.is_finished:
        return saga
    acquire_for_operator(saga)
    return engine.resume_for_operator(saga, should_stop)


def resume_saga(order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never) -> SagaInstance:
    """Resumes an abandoned saga in its direction. Any other stays as it is. Raises SagaRunning."""
    saga = find_saga(order_id)
    if saga.abandoned_at is None:
        return saga
    acquire_for_operator(saga, abandoned=True)
    return engine.resume_for_operator(saga, should_stop)


def compensate_saga(
    order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never, *, abandoned: bool = True
) -> SagaInstance:
    """Undoes an order now. A saga that compensates already is resumed, a completed one is cancelled.

    Raises SagaRunning if another driver holds the lease, AlreadyShipped if it is too late, and SagaAbandoned for an
    abandoned saga unless `abandoned`.
    """
    saga = find_saga(order_id)
    if saga.is_finished:
        return engine.cancel(order_id, reason, actor, should_stop)
    return engine.resume_for_operator(_acquire_to_cancel(order_id, reason, actor, abandoned), should_stop)


@durable
def abandon_saga(
    order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never, *, abandoned: bool = True
) -> SagaInstance:
    """Stops the retries of a saga until an operator resumes it. A finished one stays as it is.

    Nothing is undone: what is reserved stays reserved, and what is owed stays owed. Raises SagaRunning, and
    SagaAbandoned for an abandoned saga unless `abandoned`.
    """
    saga = lock_saga(order_id)
    if not saga.is_finished:
        acquire_for_operator(saga, abandoned=abandoned)
        release(saga, abandoned_at=DatabaseNow(), attention=storable(reason, LONGEST_REASON))
        saga.refresh_from_db()
    return saga


def return_order(order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never) -> SagaInstance:
    """Undoes an order whose parcel was delivered and has come back. One that was returned stays as it is.

    A cancelled order whose parcel the carrier had collected already waits for it: it is undone now, as cancelled.
    Raises NotDelivered; for such an order also SagaRunning and SagaAbandoned.
    """
    saga = engine.return_order(order_id, reason, actor, should_stop)
    if saga.is_returned or not _take_back_late(saga):
        return saga
    return engine.resume_for_operator(saga, should_stop)


def cancel_unless_abandoned(order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never) -> SagaInstance:
    """Cancels an order as `Engine.cancel` does. Raises SagaAbandoned for an abandoned saga."""
    if _request_unless_abandoned(order_id, reason, actor):
        return find_saga(order_id)
    return engine.cancel(order_id, reason, actor, should_stop)


HANDLERS: dict[str, Handler] = {
    OperatorCommand.CANCEL: engine.cancel,
    OperatorCommand.RETRY: retry_saga,
    OperatorCommand.COMPENSATE: compensate_saga,
    OperatorCommand.ABANDON: abandon_saga,
    OperatorCommand.RESUME: resume_saga,
    OperatorCommand.RETURN: return_order,
}


SPARING_ABANDONED: dict[str, Handler] = {
    **HANDLERS,
    OperatorCommand.CANCEL: cancel_unless_abandoned,
    OperatorCommand.COMPENSATE: partial(compensate_saga, abandoned=False),
    OperatorCommand.ABANDON: partial(abandon_saga, abandoned=False),
}
"""As HANDLERS, but an abandoned saga is refused: for commands on many orders."""


@durable
def _request_unless_abandoned(order_id: UUID, reason: str, actor: str) -> bool:
    """Requests the cancellation of a saga that goes forward. Returns False for any other. Raises SagaAbandoned."""
    saga = lock_saga(order_id)
    if saga.abandoned_at:
        raise SagaAbandoned(order_id=str(order_id), reason=saga.attention)
    is_requested = request_cancellation(order_id, reason, actor, wake_at=DatabaseNow())
    if is_requested:
        wake(saga)
    return is_requested


@durable
def _acquire_to_cancel(order_id: UUID, reason: str, actor: str, abandoned: bool) -> SagaInstance:
    saga = lock_saga(order_id)
    acquire_for_operator(saga, abandoned=abandoned)
    request_cancellation(order_id, reason, actor)
    saga.refresh_from_db()
    return saga


@durable
def _take_back_late(saga: SagaInstance) -> bool:
    """Records that the parcel of a cancelled or failing order has come back. Returns True if the lease was acquired.

    A saga that is finished needs no lease. Raises SagaRunning if the order was completed since `saga` was read: the
    next return undoes it.
    """
    locked = lock_saga(saga.order_id)
    shipping.take_back(saga.order)
    if not locked.is_compensating:
        raise SagaRunning(gettext_noop("The order was completed meanwhile."), order_id=str(saga.order_id))
    if not locked.is_finished:
        acquire_for_operator(saga)
    return not locked.is_finished
