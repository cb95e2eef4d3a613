"""The bars of an orchestrated saga, from its step log. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from sagas.models import Direction, SagaStepLog, StepStatus
from sagas.operations.timeline.bars import Attempt, Bar, BarStatus, Open
from sagas.orchestration.workflow import ORDER_WORKFLOW

STEPS = {step.name for step in ORDER_WORKFLOW}
"""The other lines of a log say what has triggered the compensation."""

Since = Callable[[datetime], float]
"""Returns the milliseconds from the start of the timeline to a moment."""


def bars_of_log(log: Iterable[SagaStepLog], since: Since, open_step: Open | None) -> list[Bar]:
    """Returns a bar for each step that was done, and for each that was undone, in the order of the log."""
    groups: dict[tuple[str, str], list[SagaStepLog]] = {}
    for line in log:
        if line.step in STEPS:
            groups.setdefault((line.step, line.direction), []).append(line)
    return [_bar(lines, since, open_step) for lines in groups.values()]


def reference_in(detail: Mapping[str, Any]) -> str:
    """Returns the provider's name for what it has done; "" if there is none."""
    return str(detail.get("transaction_id") or detail.get("tracking_number") or "")


def interrupted() -> str:
    """Returns the error of an attempt of which no outcome was recorded."""
    return _("No response was recorded: its driver stopped.")


def _bar(lines: list[SagaStepLog], since: Since, open_step: Open | None) -> Bar:
    last = lines[-1]
    status = _status_of(last, open_step)
    running_until = open_step.now if open_step and status == BarStatus.RUNNING else None
    return Bar(
        step=last.step,
        direction=Direction(last.direction),
        status=status,
        attempts=_attempts_of(lines, since, running_until),
        error=str(last.detail.get("detail") or last.error) if status == BarStatus.FAILED else "",
        reference=reference_in(last.detail),
    )


def _status_of(last: SagaStepLog, open_step: Open | None) -> BarStatus:
    match last.status:
        case StepStatus.DONE:
            return BarStatus.DONE
        case StepStatus.SKIPPED:
            return BarStatus.SKIPPED
        case StepStatus.FAILED if last.state:
            return BarStatus.FAILED
    return open_step.status_of(last.step, last.direction) if open_step else BarStatus.STOPPED


def _attempts_of(lines: list[SagaStepLog], since: Since, running_until: float | None) -> tuple[Attempt, ...]:
    """Returns the attempts one after another, although their times are those of several machines.

    An intent that no other line follows is being sent, or its driver has stopped.
    """
    attempts: list[Attempt] = []
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        is_intent = line.status == StepStatus.STARTED
        if is_intent and following and following.status != StepStatus.STARTED:
            continue
        started = max(since(line.started), attempts[-1].finished if attempts else 0.0)
        is_running = is_intent and following is None and running_until is not None
        finished = running_until if is_running else since(line.finished or line.started)
        error = interrupted() if is_intent and not is_running else line.error
        attempts.append(Attempt(len(attempts) + 1, started, max(started, finished or 0.0), error))
    return tuple(attempts)
