"""The state machine that walks the workflow: forward, and back when a step fails or a cancellation is wished."""

import logging
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Value
from django.db.models.functions import Coalesce

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.kernel.text import LONGEST_REASON, storable
from cloudmart.providers.calling import ProviderResponse, call_provider
from cloudmart.providers.outcomes import Refused
from orders.errors import OrderCancelled
from sagas.engine.driving import driving
from sagas.engine.lease import give_up, new_saga, prolong, wait
from sagas.errors import LeaseLost
from sagas.models import FINISHED, Direction, SagaInstance, State, StepStatus
from sagas.orchestration.step_log import StepLog
from sagas.orchestration.walk import CANCELLATION, WISHED, Call, TurnedBack, Walk
from sagas.orchestration.workflow import ORDER_WORKFLOW, Workflow

logger = logging.getLogger(__name__)


class OrderSagaOrchestrator:
    """Drives one saga. Each transaction settles the call before it, does what is local, and begins the next call.

    Every transaction first claims the cursor by compare-and-set, under the fence of the driver's lease; whoever finds
    it moved raises LeaseLost and has written nothing. A step that says no rolls its transaction back, and the same
    transaction is then taken again with that step known to fail: what was heard from a provider is kept, what the step
    may have written is not.
    """

    def __init__(self, saga: SagaInstance, workflow: Workflow = ORDER_WORKFLOW) -> None:
        self.saga = saga
        self._order = OrderSnapshot.from_json(saga.payload)
        self._workflow = workflow
        self._is_new = saga._state.adding
        self._last_seq = 0 if self._is_new else saga.log.count()

    @classmethod
    def start(
        cls,
        order: OrderSnapshot,
        answers_key: str = "",
        should_stop: ShouldStop = never,
        workflow: Workflow = ORDER_WORKFLOW,
    ) -> SagaInstance:
        """Run a new saga until it rests or has to wait. Its first transaction writes the order."""
        saga = new_saga(order, answers_key)
        machine = cls(saga, workflow)
        with driving(saga):
            machine._converse(machine._next_call(None, None), should_stop)
        return saga

    @classmethod
    def resume(
        cls, saga: SagaInstance, should_stop: ShouldStop = never, workflow: Workflow = ORDER_WORKFLOW
    ) -> SagaInstance:
        """Ask again what the saga's last driver had no sure answer to, and walk on. Only for who has claimed it."""
        machine = cls(saga, workflow)
        with driving(saga):
            machine._converse(machine._next_call(None, None), should_stop)
        return saga

    @classmethod
    def cancel(
        cls,
        saga: SagaInstance,
        reason: str,
        actor: str,
        should_stop: ShouldStop = never,
        workflow: Workflow = ORDER_WORKFLOW,
    ) -> SagaInstance:
        """Walk a completed saga back from its end; a running one reads the wish when it next claims its cursor.

        One that waits is due at once. Raises what the first undo refuses with, having changed nothing; LeaseLost when
        the saga has moved meanwhile.
        """
        if saga.status == State.COMPLETED:
            machine = cls(saga, workflow)
            saga.cancelled_by = actor
            turned_back = TurnedBack(CANCELLATION, OrderCancelled(reason, reason=reason))
            with driving(saga):
                walk = machine._take_back(turned_back)
                saga.fence += 1
                machine._converse(machine._keep(walk), should_stop)
            return saga
        if not turn_back(saga.order_id, reason, actor, wake_at=DatabaseNow()):
            raise LeaseLost(str(saga.pk))
        return saga

    def _converse(self, call: Call | None, should_stop: ShouldStop = never) -> None:
        """Ask, with no transaction open, and walk on; until no call is left, or one has no sure answer.

        Whoever is leaving asks nothing more, and leaves the rest to others.
        """
        still_here = partial(prolong, self.saga.order_id, self.saga.fence)
        while call:
            if should_stop():
                durable(give_up)(self.saga, wake_at=DatabaseNow())
                break
            answer = call_provider(call.operation, call.intent, before_retry=still_here)
            if not call.operation.is_settled_by(answer.outcome):
                self._wait(call, answer)
                break
            call = self._next_call(call, answer)

    def _next_call(self, call: Call | None, answer: ProviderResponse | None) -> Call | None:
        turned_back = None
        while True:
            try:
                return self._keep(self._walk(call, answer, turned_back))
            except TurnedBack as news:
                turned_back = news

    @durable
    def _walk(self, call: Call | None, answer: ProviderResponse | None, turned_back: TurnedBack | None) -> Walk:
        walk = Walk(self.saga, self._workflow, self._last_seq, turned_back)
        if call is None or answer is None:
            if self._is_new:
                walk.open()
                walk.forward(0)
            else:
                walk.take_up()
        elif call.direction == Direction.UNDO:
            walk.claim_back()
            walk.settle(call, answer, StepStatus.DONE)
            walk.back(call.index - 1)
        elif isinstance(answer.outcome, Refused):
            walk.claim_back()
            walk.settle(call, answer, StepStatus.FAILED, answer.outcome.error)
            walk.back(call.index)
        else:
            walk.claim_forward(call.index + 1)
            walk.settle(call, answer, StepStatus.DONE)
            walk.forward(call.index + 1)
        walk.close()
        return walk

    @durable
    def _take_back(self, turned_back: TurnedBack) -> Walk:
        walk = Walk(self.saga, self._workflow, self._last_seq, turned_back)
        walk.claim_from_rest()
        walk.turn_back(len(self._workflow), turned_back)
        walk.close()
        return walk

    @durable
    def _wait(self, call: Call, answer: ProviderResponse) -> None:
        """Stay where we are: it is not known what the provider did, or an undo has to be tried again.

        On the way forward not when a cancellation is wished that nobody has read yet.
        """
        unless = WISHED if call.direction == Direction.DO else None
        wait(self.saga, f"{call.step.name}: {answer.outcome}", unless=unless)
        log = StepLog(self.saga, self._last_seq)
        log.add_answer(call.step.name, call.direction, answer, StepStatus.FAILED, str(answer.outcome))
        log.write()
        logger.warning("saga %s waits for %s: %s", self.saga.pk, call.step.name, answer.outcome)

    def _keep(self, walk: Walk) -> Call | None:
        """What the walk has committed is now what the saga is."""
        self.saga.status, self.saga.current_step = walk.cursor.state, walk.cursor.step
        self.saga.failure = walk.failure
        vars(self.saga).update(self.saga.payload_without_token(walk.cursor.state))
        self._is_new = False
        self._last_seq = walk.last_seq
        return walk.call


def turn_back(order_id: UUID, reason: str, actor: str, **changes: Any) -> bool:
    """Note the wish, which the saga reads when it next claims its cursor to go forward; False when it is at rest.

    Of several wishes the first one counts.
    """
    running = SagaInstance.objects.filter(order_id=order_id).exclude(status__in=FINISHED)
    said = {"cancel_reason": storable(reason, LONGEST_REASON), "cancelled_by": actor}
    wish = {name: Coalesce(name, Value(text)) for name, text in said.items()}
    return bool(running.update(**wish, **changes))
