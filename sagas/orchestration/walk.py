"""One transaction's worth of a workflow: claim the cursor, take the steps on the way, write the cursor and the log."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.providers.remote import Answer, RemoteOperation
from orders.errors import OrderCancelled
from sagas.engine.lease import NO_LEASE, PROGRESS, is_late, lease, prolonged
from sagas.engine.resting import Rest, came_to_rest
from sagas.errors import LeaseLost, SagaTimedOut
from sagas.models import FINISHED, Direction, SagaInstance, State, StepStatus
from sagas.orchestration.step_log import StepLog
from sagas.orchestration.workflow import Local, Remote, Step, Workflow

CANCELLATION = "cancel"
"""Stands in the log where a step would, when not a step but a wish turned the saga back."""
DEADLINE = "deadline"
"""Stands there when it was the clock."""

WISHED = Q(cancel_reason__isnull=False)
"""Sagas whose cancellation is wished."""


class TurnedBack(Exception):
    """A step said no, a cancellation is wished, or the time is over.

    The transaction is rolled back, and taken again knowing that.
    """

    def __init__(self, step: str, error: DomainError) -> None:
        self.step, self.error = step, error
        super().__init__(step)


@dataclass(frozen=True, slots=True)
class Call:
    """A provider call whose intent is written."""

    index: int
    step: Remote
    direction: Direction
    intent: Any

    @property
    def operation(self) -> RemoteOperation:
        return self.step.do if self.direction == Direction.DO else self.step.undo


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a saga stands: its state, and the step whose provider call is in flight ("" when none is)."""

    state: str
    step: str = ""


class Walk:
    """Steps taken in one transaction; where they led is in `cursor`, `failure`, `last_seq` and `call`."""

    def __init__(self, saga: SagaInstance, workflow: Workflow, last_seq: int, turned_back: TurnedBack | None) -> None:
        self._saga, self._workflow, self._turned_back = saga, workflow, turned_back
        self._order = OrderSnapshot.from_json(saga.payload)
        self._log = StepLog(saga, last_seq)
        self._claimed = self.cursor = Cursor(saga.status, saga.current_step)
        self.failure: dict[str, Any] | None = saga.failure
        self.last_seq = last_seq
        self.call: Call | None = None

    # --- The cursor -----------------------------------------------------------------------------

    def open(self) -> None:
        """The first transaction: nobody can have moved a saga that nobody knows."""
        self._claimed = self._stop_from(0)
        for name, value in _at(self._claimed, held={}).items():
            setattr(self._saga, name, value)
        self._saga.save(force_insert=True)
        self.cursor = Cursor(State.STARTED)

    def take_up(self) -> None:
        """Go on from the call that was in flight when the last driver left: its intent is begun again, as the same.

        Raises TurnedBack when it is too late to go forward.
        """
        index = [step.name for step in self._workflow].index(self.cursor.step)
        if self.cursor.state == State.COMPENSATION_STARTED:
            self.claim_back()
            self.back(index)
            return
        self.claim_forward(index, in_time=True)
        if self._turned_back and self._turned_back.step in {CANCELLATION, DEADLINE}:
            self.turn_back(index + 1, self._turned_back)
        else:
            self.forward(index)

    def claim_forward(self, index: int, *, in_time: bool = False) -> None:
        """Move the cursor to the next stop on the way from step `index`; or to turn back, where that is known.

        Raises LeaseLost when somebody else has moved it, and TurnedBack when a cancellation is wished; where it has to
        be `in_time`, also after the saga's deadline.
        """
        if self._turned_back:
            self.claim_back()
        else:
            self._claim(self._stop_from(index), unless=WISHED | is_late() if in_time else WISHED)

    def claim_back(self) -> None:
        """Move the cursor to turn back, or to go on doing so. Raises LeaseLost."""
        self._claim(Cursor(State.COMPENSATION_STARTED, self.cursor.step))

    def claim_from_rest(self) -> None:
        """Move the cursor of a completed saga to turn back for whoever cancels it, and lease it. Raises LeaseLost."""
        leased_for = {"cancelled_by": self._saga.cancelled_by, "fence": F("fence") + 1, **lease()}
        self._claim(Cursor(State.COMPENSATION_STARTED), **leased_for)

    def close(self) -> None:
        """Write the log, and the cursor where the walk has ended elsewhere than was claimed; say so when it rests."""
        self.last_seq = self._log.write()
        changes: dict[str, Any] = {}
        if (self.cursor, self.failure) != (self._claimed, self._saga.failure):
            changes = {**_at(self.cursor, prolonged()), **PROGRESS, "failure": self.failure}
        if self.cursor.state in FINISHED:
            rest = Rest(self._order, self.cursor.state, self.failure, self._saga.answers_key)
            came_to_rest.send(SagaInstance, rest=rest)
            changes["finished_at"] = Greatest(DatabaseNow(), Value(self._log.ended))
        if changes:
            changes |= self._saga.payload_without_token(self.cursor.state)
            SagaInstance.objects.filter(pk=self._saga.pk).update(**changes)

    def _stop_from(self, index: int) -> Cursor:
        """The next call, or the end, as the table has it."""
        state: str = self._workflow[index - 1].reaches if index else State.STARTED
        for step in self._workflow[index:]:
            if isinstance(step, Remote):
                return Cursor(state, step.name)
            state = step.reaches
        return Cursor(State.COMPLETED)

    def _claim(self, goal: Cursor, *, unless: Q | None = None, **changes: Any) -> None:
        """The compare-and-set; it prolongs the lease."""
        here = {"status": self.cursor.state, "current_step": self.cursor.step, "fence": self._saga.fence}
        mine = SagaInstance.objects.filter(pk=self._saga.pk, **here).exclude(unless or Q())
        news = {} if goal == self.cursor else PROGRESS
        without_token = self._saga.payload_without_token(goal.state)
        if not mine.update(**{**_at(goal, prolonged()), **news, **without_token, "wake_at": None, **changes}):
            raise self._why_not()
        self._claimed = goal

    def _why_not(self) -> Exception:
        now = SagaInstance.objects.get(pk=self._saga.pk)
        if (Cursor(now.status, now.current_step), now.fence) != (self.cursor, self._saga.fence):
            return LeaseLost(str(now.pk))
        if now.cancel_reason is not None:
            self._saga.cancelled_by = now.cancelled_by
            return TurnedBack(CANCELLATION, OrderCancelled(now.cancel_reason, reason=now.cancel_reason))
        return TurnedBack(DEADLINE, SagaTimedOut())

    # --- The steps ------------------------------------------------------------------------------

    def settle(self, call: Call, answer: Answer, status: StepStatus, error: DomainError | None = None) -> None:
        """Write what came of the call that this transaction starts from."""
        call.operation.settle(self._order, call.intent, answer.outcome)
        self._log.add_answer(call.step.name, call.direction, answer, status, str(error or ""))
        if error:
            self._turn(error)
        elif call.direction == Direction.DO:
            self._reach(call.step.reaches)

    def forward(self, index: int) -> None:
        """Take the steps from `index` on, up to the next call or the end."""
        for here in range(index, len(self._workflow)):
            step = self._workflow[here]
            if self._turned_back and self._turned_back.step in {step.name, CANCELLATION}:
                self.turn_back(here, self._turned_back)
                return
            began = timezone.now()
            intent = self._do(step)
            if intent is not None and isinstance(step, Remote):
                self._stop(Call(here, step, Direction.DO, intent))
                return
            self._log.add(step.name, Direction.DO, StepStatus.DONE, started=began)
            self._reach(step.reaches)
        self.cursor = Cursor(State.COMPLETED)

    def turn_back(self, here: int, news: TurnedBack) -> None:
        """The step at `here` is not taken: what came before it is undone."""
        status = StepStatus.DONE if news.step == CANCELLATION else StepStatus.FAILED
        self._log.add(news.step, Direction.DO, status, error=str(news.error))
        self._turn(news.error)
        self.back(here - 1)

    def back(self, index: int) -> None:
        """Undo the steps from `index` on in reverse, up to the next call or the end."""
        for here in range(index, -1, -1):
            step = self._workflow[here]
            if isinstance(step, Remote):
                intent = step.undo.begin(self._order)
                if intent is not None:
                    self._stop(Call(here, step, Direction.UNDO, intent))
                    return
                self._log.add(step.name, Direction.UNDO, StepStatus.SKIPPED)
            elif step.undo:
                began = timezone.now()
                basket = self._order.with_actor(self._saga.undone_by(self.failure))
                step.undo(basket, (self.failure or {}).get("detail", ""))
                self._log.add(step.name, Direction.UNDO, StepStatus.DONE, started=began)
        self.cursor = Cursor(State.FAILED)

    def _do(self, step: Step) -> Any:
        try:
            return step.do(self._order) if isinstance(step, Local) else step.do.begin(self._order)
        except DomainError as error:
            raise TurnedBack(step.name, error) from error

    def _stop(self, call: Call) -> None:
        self._log.add(call.step.name, call.direction, StepStatus.STARTED)
        self.call = call
        self.cursor = Cursor(self.cursor.state, call.step.name)

    def _reach(self, state: str) -> None:
        self._log.reaches(state)
        self.cursor = Cursor(state)

    def _turn(self, error: DomainError) -> None:
        self._reach(State.COMPENSATION_STARTED)
        self.failure = self.failure or error.as_json()


def _at(cursor: Cursor, held: dict[str, Any]) -> dict[str, Any]:
    """The columns of a saga that stands at `cursor`; until it rests, its driver's lease is `held` on to.

    When a saga has finished is known once its last step has.
    """
    return {
        "status": cursor.state,
        "current_step": cursor.step,
        "updated_at": DatabaseNow(),
        "finished_at": None,
        **(NO_LEASE if cursor.state in FINISHED else held),
    }
