"""One transaction of an orchestrated saga: advance the cursor, take the moves of the plan, write the log."""

from copy import copy
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from cloudmart.database.prepared import Insert
from cloudmart.kernel import tracing
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.providers.operation import Intent
from cloudmart.providers.outcomes import Refused
from orders.errors import OrderCancelled
from sagas.engine.lease import LATE, lease
from sagas.engine.style import Call, OnFinished, SagaResult, Settled
from sagas.engine.transitions import Position, transition
from sagas.errors import LeaseLost, SagaTimedOut
from sagas.models import FINISHED, Direction, SagaInstance, State, StepStatus
from sagas.orchestration.plan import Move, News, Plan, plan
from sagas.orchestration.step_log import StepLog, detail_of
from sagas.orchestration.workflow import Local, Remote, Step, Workflow

CANCELLATION, RETURN, DEADLINE = "cancel", "return", "deadline"
"""Stand in the log in place of a step: what has triggered the compensation, if no step has."""

CANCELLATION_REQUESTED = Q(cancel_reason__isnull=False)
"""Sagas whose cancellation is requested."""
CANCELLED_OR_LATE = CANCELLATION_REQUESTED | LATE
INSERT = Insert(SagaInstance)


class Execution:
    """Works on a copy of the saga, which replaces the saga's attributes once the transaction has committed."""

    def __init__(self, saga: SagaInstance, order: OrderSnapshot, workflow: Workflow, log: StepLog) -> None:
        self._original, self._saga = saga, copy(saga)
        self._order, self._workflow, self.log = order, workflow, log
        self._state = saga.status
        self._failure: dict[str, Any] | None = saga.failure
        self._settled: dict[str, Any] = {}

    def plan(self, news: News, step: str | None = None) -> Plan:
        """Returns the plan at the stored position; or at this step, which this transaction has reached."""
        position = Position.of(self._saga) if step is None else Position(self._state, step)
        return plan(self._workflow, position, news)

    # --- The cursor -----------------------------------------------------------------------------

    def insert_saga(self, goal: Position) -> None:
        """Stores the new saga at its goal: if no step is refused, this transaction does not write it again."""
        self._saga.status, self._saga.current_step = goal.state, goal.step
        INSERT(self._saga)

    def advance_cursor(self, planned: Plan, *, is_resumed: bool) -> tuple[str, DomainError] | None:
        """Moves the cursor to the goal of the plan. Returns what triggers the compensation instead, if anything does.

        Raises LeaseLost.
        """
        forbidden = CANCELLED_OR_LATE if is_resumed else CANCELLATION_REQUESTED
        if transition(self._saga, planned.goal, unless=forbidden if planned.goes_forward else None):
            return None
        stored = SagaInstance.objects.get(pk=self._saga.pk)
        if not planned.goes_forward or (Position.of(stored), stored.fence) != self._known:
            raise LeaseLost(str(stored.pk))
        self._saga.cancelled_by = stored.cancelled_by
        self._move_to(Position(State.COMPENSATION_STARTED, stored.current_step))
        if stored.cancel_reason is None:
            return DEADLINE, SagaTimedOut()
        return CANCELLATION, OrderCancelled(stored.cancel_reason, reason=stored.cancel_reason)

    def reopen(self, goal: Position, actor: str) -> None:
        """Moves the cursor of the completed saga to the goal, and acquires its lease. Raises LeaseLost."""
        self._move_to(goal, cancelled_by=actor, finished_at=None, fence=F("fence") + 1, **lease())
        self._saga.fence += 1

    @property
    def _known(self) -> tuple[Position, int]:
        return Position.of(self._saga), self._saga.fence

    def _move_to(self, position: Position, **changes: Any) -> None:
        if not transition(self._saga, position, **changes):
            raise LeaseLost(str(self._saga.pk))

    # --- The steps ------------------------------------------------------------------------------

    def settle(self, settled: Settled) -> None:
        """Stores the outcome of the call with which this transaction begins."""
        call, outcome = settled.call, settled.response.outcome
        with tracing.span(f"settle {call.name}"):
            call.operation.settle(call.intent, outcome)
        self._settled = settled.details
        if isinstance(outcome, Refused):
            self.log.add_call(call, settled.response, StepStatus.FAILED, str(outcome.error))
            self._fail(outcome.error)
        else:
            self.log.add_call(call, settled.response, StepStatus.DONE)
            if call.direction == Direction.DO:
                self._reach(next(step.reaches for step in self._workflow if step.name == call.name))

    def compensate(self, name: str, error: DomainError) -> None:
        """Turns to compensation: because of the step of this name, a cancellation, a return, or the deadline."""
        status = StepStatus.DONE if name in {CANCELLATION, RETURN} else StepStatus.FAILED
        commands = [step.command(Direction.DO) for step in self._workflow if step.name == name]
        command = {"command": commands[0]} if commands else {}
        self.log.add(name, Direction.DO, status, {**command, **error.as_json()}, error=str(error))
        self._fail(error)

    def take(self, moves: tuple[Move, ...]) -> Call | None:
        """Takes the moves up to the first provider call, and returns that. A refused step starts the compensation."""
        for move in moves:
            taken = self._take(move)
            if isinstance(taken, DomainError):
                self.compensate(move.step.name, taken)
                return self.take(self.plan(News.REFUSED, move.step.name).moves)
            if taken:
                return taken
        self._state = State.FAILED if self._state == State.COMPENSATION_STARTED else State.COMPLETED
        return None

    def _take(self, move: Move) -> Call | DomainError | None:
        with tracing.span(f"{move.direction} {move.step.name}") as span:
            taken = self._do(move.step) if move.direction == Direction.DO else self._undo(move.step)
            if isinstance(taken, DomainError):
                span.set({"cloudmart.error_code": taken.code})
            return taken

    def _do(self, step: Step) -> Call | DomainError | None:
        began = timezone.now()
        try:
            if isinstance(step, Local):
                step.do(self._order)
            elif intent := step.do.begin(self._order):
                return self._call(step, Direction.DO, intent)
        except DomainError as error:
            return error
        self._log(step, Direction.DO, StepStatus.DONE, began)
        self._reach(step.reaches)
        return None

    def _undo(self, step: Step) -> Call | None:
        began = timezone.now()
        if isinstance(step, Remote):
            if intent := step.undo.begin(self._order):
                return self._call(step, Direction.UNDO, intent)
            self._log(step, Direction.UNDO, StepStatus.SKIPPED)
        elif step.undo:
            request = self._order.with_actor(self._saga.compensation_actor(self._failure))
            step.undo(request, (self._failure or {}).get("detail", ""))
            self._log(step, Direction.UNDO, StepStatus.DONE, began)
        return None

    def _call(self, step: Remote, direction: Direction, intent: Intent[Any]) -> Call:
        operation = step.do if direction == Direction.DO else step.undo
        call = Call(step.name, operation, intent, direction)
        self.log.add(step.name, direction, StepStatus.STARTED, detail_of(call))
        return call

    def _log(self, step: Step, direction: Direction, status: StepStatus, started: datetime | None = None) -> None:
        self.log.add(step.name, direction, status, {"command": step.command(direction)}, started=started)

    def _reach(self, state: str) -> None:
        self.log.reaches(state)
        self._state = state

    def _fail(self, error: DomainError) -> None:
        self._reach(State.COMPENSATION_STARTED)
        self._failure = self._failure or error.as_json()

    # --- The end --------------------------------------------------------------------------------

    def write(self, call: Call | None, on_finished: OnFinished) -> None:
        """Writes the log; and the saga, if it is finished or has not come to the goal of its plan."""
        self.log.write()
        changes: dict[str, Any] = {}
        if self._state in FINISHED:
            actor = self._saga.compensation_actor(self._failure)
            scope = self._saga.idempotency_scope
            result = SagaResult(self._order, self._state, self._failure, actor, scope, self._settled)
            self._saga.outcome = on_finished(result)
            changes["finished_at"] = self.log.ended
        position = Position(self._state, call.name if call else "")
        if changes or (position, self._failure) != (Position.of(self._saga), self._saga.failure):
            self._move_to(position, failure=self._failure, **changes)
        transaction.on_commit(lambda: vars(self._original).update(vars(self._saga)))
