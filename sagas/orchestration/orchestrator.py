"""The orchestrated style: a state machine takes a saga through its workflow, and back when a step fails."""

from django.db import transaction

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Refused
from sagas.engine.style import Call, First, OnFinished, Settled
from sagas.events import EventType, order_data, record
from sagas.models import RETURNED, SagaInstance, StepStatus
from sagas.orchestration.execution import CANCELLATION, RETURN, Execution
from sagas.orchestration.plan import News
from sagas.orchestration.step_log import StepLog
from sagas.orchestration.workflow import ORDER_WORKFLOW, Workflow, workflow_after


class Orchestrator:
    """Decides by the plan what one saga does next. Implements the engine's Style."""

    def __init__(self, saga: SagaInstance, on_finished: OnFinished, workflow: Workflow = ORDER_WORKFLOW) -> None:
        self._saga, self._on_finished = saga, on_finished
        self._workflow = workflow_after((saga.failure or {}).get("code", ""), workflow)
        self._order = saga.order
        self._last_seq: int | None = None

    @durable
    def open(self, first: First) -> Call | None:
        first()
        if self._order.was_draft:
            data = {**order_data(self._saga.payload), "actor": self._order.placed_by}
            record(self._order.order_id, EventType.ORDER_CONFIRMED, data)
        self._last_seq = 0
        execution = self._begin()
        plan = execution.plan(News.OPENED)
        execution.insert_saga(plan.goal)
        return self._end(execution, execution.take(plan.moves))

    @durable
    def advance(self, settled: Settled | None = None) -> Call | None:
        execution = self._begin()
        plan = execution.plan(_news_of(settled))
        trigger = execution.advance_cursor(plan, is_resumed=settled is None)
        if settled:
            execution.settle(settled)
        if trigger:
            plan = execution.plan(News.COMPENSATE)
            execution.compensate(*trigger)
        return self._end(execution, execution.take(plan.moves))

    @durable
    def compensate(self, reason: DomainError, actor: str) -> Call | None:
        self._workflow = workflow_after(reason.code, self._workflow)
        execution = self._begin()
        plan = execution.plan(News.COMPENSATE)
        execution.reopen(plan.goal, actor)
        execution.compensate(RETURN if reason.code == RETURNED else CANCELLATION, reason)
        return self._end(execution, execution.take(plan.moves))

    def record_unsettled(self, call: Call, response: ProviderResponse) -> None:
        log = self._log()
        log.add_call(call, response, StepStatus.FAILED, str(response.outcome))
        log.write()

    def _begin(self) -> Execution:
        return Execution(self._saga, self._order, self._workflow, self._log())

    def _end(self, execution: Execution, call: Call | None) -> Call | None:
        execution.write(call, self._on_finished)
        transaction.on_commit(lambda: setattr(self, "_last_seq", execution.log.last_seq))
        return call

    def _log(self) -> StepLog:
        if self._last_seq is None:
            self._last_seq = self._saga.log.count()
        return StepLog(self._saga, self._last_seq)


def _news_of(settled: Settled | None) -> News:
    if settled is None:
        return News.RESUMED
    return News.REFUSED if isinstance(settled.response.outcome, Refused) else News.SUCCEEDED
