"""The lines that one transaction adds to a saga's log."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from structlog import get_logger

from cloudmart.database.prepared import Insert
from cloudmart.kernel.metrics import harmless
from cloudmart.kernel.text import LONGEST_ERROR, storable
from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Outcome, Refused
from sagas.engine.metrics import count_log
from sagas.engine.style import Call
from sagas.models import Direction, SagaInstance, SagaStepLog, StepStatus

logger = get_logger(__name__)

INSERT = Insert(SagaStepLog)


@dataclass(slots=True)
class Line:
    """The columns of a SagaStepLog that is not stored yet."""

    saga_id: UUID
    seq: int
    step: str
    direction: Direction
    attempt: int
    status: StepStatus
    error: str
    detail: dict[str, Any]
    started: datetime
    finished: datetime | None
    state: str = ""


class StepLog:
    """Collects lines, and writes them in one statement."""

    def __init__(self, saga: SagaInstance, last_seq: int) -> None:
        self._saga, self.last_seq = saga, last_seq
        self._lines: list[Line] = []

    def add(
        self,
        step: str,
        direction: Direction,
        status: StepStatus,
        detail: dict[str, Any],
        *,
        attempt: int = 1,
        started: datetime | None = None,
        finished: datetime | None = None,
        error: str = "",
    ) -> None:
        """Adds a line. Its times default to now."""
        self.last_seq += 1
        now = timezone.now()
        self._lines.append(
            Line(
                saga_id=self._saga.pk,
                seq=self.last_seq,
                step=step,
                direction=direction,
                attempt=attempt,
                status=status,
                error=storable(error, LONGEST_ERROR),
                detail=detail,
                started=started or now,
                finished=None if status == StepStatus.STARTED else finished or now,
            )
        )

    def add_call(self, call: Call, response: ProviderResponse, status: StepStatus, error: str = "") -> None:
        """Adds a line for each failed attempt, and one for the last attempt, with this status and error."""
        for number, attempt in enumerate(response.all_attempts, start=1):
            is_last = number == response.attempts
            self.add(
                call.name,
                call.direction,
                status if is_last else StepStatus.FAILED,
                detail_of(call, response.outcome if is_last else None),
                attempt=number,
                started=attempt.started,
                finished=attempt.finished,
                error=attempt.error or (error if is_last else ""),
            )

    def reaches(self, state: str) -> None:
        """The last line is the one with which the saga reaches this state."""
        self._lines[-1].state = state

    @property
    def ended(self) -> datetime:
        """When the last of these lines ended, by the clock of the process that took the steps."""
        return max((line.finished for line in self._lines if line.finished), default=timezone.now())

    def write(self) -> None:
        """Adds the lines to the saga's log. Logs and counts them once they are committed."""
        INSERT(*self._lines)
        transaction.on_commit(partial(log_lines, self._lines))
        transaction.on_commit(partial(count_log, self._saga.saga_type, self._lines))


@harmless
def log_lines(lines: Iterable[Line]) -> None:
    """Logs what is done, undone or refused. An attempt was logged when it failed."""
    for line in lines:
        if message := _message_of(line):
            known = {name: line.detail[name] for name in ("command", "code") if name in line.detail}
            logger.info(message, step=line.step, **known)


def _message_of(line: Line) -> str | None:
    if "command" not in line.detail:
        return "compensation triggered"
    if line.status == StepStatus.FAILED:
        return "step refused" if line.state else None
    messages = {Direction.DO: "step done", Direction.UNDO: "step undone"}
    return messages[line.direction] if line.status == StepStatus.DONE else None


def detail_of(call: Call, outcome: Outcome | None = None) -> dict[str, Any]:
    """Returns what the log says of a provider call and its outcome."""
    refusal = outcome.error.as_json() if isinstance(outcome, Refused) else {}
    return {"command": call.operation.command, **call.operation.details(call.intent, outcome), **refusal}
