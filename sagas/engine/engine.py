"""Starts, resumes and cancels sagas in their styles."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from structlog.contextvars import bound_contextvars

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel import tracing
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.providers.calling import nothing
from orders.errors import OrderCancelled, OrderReturned
from orders.models import SagaStyle
from sagas.choreography.delivery import Choreography
from sagas.engine.lease import acquire, new_saga, request_cancellation
from sagas.engine.metrics import count_acquisition
from sagas.engine.runner import ONCE, driving, run, wait_after_error
from sagas.engine.style import First, OnFinished, Style
from sagas.engine.waking import wake
from sagas.models import SagaInstance, State
from sagas.orchestration.orchestrator import Orchestrator
from sagas.selectors import find_saga

STYLES: dict[str, Callable[[SagaInstance, OnFinished], Style]] = {
    SagaStyle.ORCHESTRATION: Orchestrator,
    SagaStyle.CHOREOGRAPHY: Choreography,
}


def style_of(saga: SagaInstance, on_finished: OnFinished) -> Style:
    """Returns the style of the saga, for one drive."""
    return STYLES[saga.saga_type](saga, on_finished)


@dataclass(frozen=True, slots=True)
class Engine:
    """Drives sagas. Calls `on_finished` in the transaction that finishes one."""

    on_finished: OnFinished

    def start(
        self,
        order: OrderSnapshot,
        first: First = nothing,
        idempotency_scope: str = "",
        should_stop: ShouldStop = never,
    ) -> SagaInstance:
        """Stores the order and runs its saga until it is finished, has to wait, or `should_stop()`.

        `first` runs at the beginning of the first transaction; what it raises leaves nothing stored.
        """
        saga = new_saga(order, idempotency_scope)
        style = style_of(saga, self.on_finished)
        with driving(saga, is_new=True):
            run(saga, style, style.open(first), should_stop)
        return saga

    def resume(self, saga: SagaInstance, should_stop: ShouldStop = never) -> SagaInstance:
        """Resumes a saga whose lease the caller has acquired."""
        style = style_of(saga, self.on_finished)
        with driving(saga):
            run(saga, style, style.advance(), should_stop)
        return saga

    def recover(self, saga: SagaInstance, should_stop: ShouldStop = never) -> bool:
        """Acquires the lease of a due saga and resumes it. Returns False if another driver was faster.

        After an unforeseen error the saga waits.
        """
        is_acquired = acquire(saga)
        count_acquisition(acquired=is_acquired)
        if not is_acquired:
            return False
        with (
            bound_contextvars(request_id=str(new_id())),  # no request has caused this drive
            tracing.trace("recover", traceparent=saga.traceparent) as span,
        ):
            try:
                self.resume(saga, should_stop)
            except Exception as error:
                span.fail(type(error).__name__)
                wait_after_error(saga, error)
        return True

    def resume_for_operator(self, saga: SagaInstance, should_stop: ShouldStop = never) -> SagaInstance:
        """Resumes a saga whose lease the caller has acquired. After an unforeseen error its `attention` says why."""
        try:
            return self.resume(saga, should_stop)
        except Exception as error:
            return wait_after_error(saga, error, attention_after=ONCE)

    def cancel(self, order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never) -> SagaInstance:
        """Undoes a completed order; of an unfinished saga requests the cancellation, and makes it due at once.

        A second call changes nothing. Raises SagaNotFound, and AlreadyShipped if it is too late. After an unforeseen
        error in the undoing the saga waits.
        """
        saga = find_saga(order_id)
        if saga.is_compensating:
            return saga
        if saga.status == State.COMPLETED:
            is_undone = self._undo(saga, OrderCancelled(reason, reason=reason), actor, should_stop)
        else:
            is_undone = request_cancellation(order_id, reason, actor, wake_at=DatabaseNow())
            if is_undone:
                wake(saga)
        return saga if is_undone else self.cancel(order_id, reason, actor, should_stop)

    def return_order(self, order_id: UUID, reason: str, actor: str, should_stop: ShouldStop = never) -> SagaInstance:
        """Undoes a completed order whose parcel was delivered and has come back.

        A saga that is not completed stays as it is. Raises SagaNotFound, and NotDelivered. After an unforeseen error
        in the undoing the saga waits.
        """
        saga = find_saga(order_id)
        while saga.status == State.COMPLETED:
            self._undo(saga, OrderReturned(reason, reason=reason), actor, should_stop)
        return saga

    def _undo(self, saga: SagaInstance, reason: DomainError, actor: str, should_stop: ShouldStop) -> bool:
        """Undoes a completed order for this reason, and refreshes `saga`.

        Returns False if another driver has acquired the lease meanwhile, and does not undo it.
        """
        style, fence = style_of(saga, self.on_finished), saga.fence
        try:
            with driving(saga):
                run(saga, style, style.compensate(reason, actor), should_stop)
        except Exception as error:
            if saga.fence == fence:
                raise
            wait_after_error(saga, error, attention_after=ONCE)
        return saga.is_compensating
