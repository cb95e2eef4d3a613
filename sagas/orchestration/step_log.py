"""The lines that one transaction adds to a saga's log."""

from datetime import datetime
from functools import partial

from django.db import transaction
from django.utils import timezone

from cloudmart.kernel.text import LONGEST_ERROR, storable
from cloudmart.providers.calling import ProviderResponse
from sagas.engine.metrics import count_log
from sagas.models import Direction, SagaInstance, SagaStepLog, StepStatus


class StepLog:
    """Collects lines, and writes them in one statement."""

    def __init__(self, saga: SagaInstance, last_seq: int) -> None:
        self._saga, self._seq = saga, last_seq
        self._lines: list[SagaStepLog] = []

    def add(
        self,
        step: str,
        direction: Direction,
        status: StepStatus,
        *,
        attempt: int = 1,
        started: datetime | None = None,
        finished: datetime | None = None,
        error: str = "",
    ) -> None:
        """A line; without times it is about now."""
        self._seq += 1
        now = timezone.now()
        self._lines.append(
            SagaStepLog(
                saga=self._saga,
                seq=self._seq,
                step=step,
                direction=direction,
                attempt=attempt,
                status=status,
                error=storable(error, LONGEST_ERROR),
                started=started or now,
                finished=None if status == StepStatus.STARTED else finished or now,
            )
        )

    def reaches(self, state: str) -> None:
        """From the last line on, the saga is in this state."""
        self._lines[-1].state = state

    def add_answer(
        self, step: str, direction: Direction, answer: ProviderResponse, status: StepStatus, error: str = ""
    ) -> None:
        """A line for every try that failed in passing, and one for the last."""
        for attempt, failure in enumerate(answer.failed_attempts, start=1):
            self.add(
                step,
                direction,
                StepStatus.FAILED,
                attempt=attempt,
                started=failure.started,
                finished=failure.finished,
                error=failure.error,
            )
        self.add(
            step,
            direction,
            status,
            attempt=answer.attempts,
            started=answer.started,
            finished=answer.finished,
            error=answer.error or error,
        )

    @property
    def ended(self) -> datetime:
        """When the last of these lines ended, by the clock of whoever took the steps."""
        return max((line.finished for line in self._lines if line.finished), default=timezone.now())

    def write(self) -> int:
        """Add the lines to the saga's log, and count them once that is committed; returns the last line's number."""
        SagaStepLog.objects.bulk_create(self._lines)
        transaction.on_commit(partial(count_log, self._saga.saga_type, self._lines))
        return self._seq
