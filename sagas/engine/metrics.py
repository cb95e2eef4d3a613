"""Metrics of orders and their sagas, counted once they are committed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Protocol

from prometheus_client import Counter, Histogram

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.metrics import harmless
from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Accepted
from sagas.engine.style import Call
from sagas.models import CANCELLED, FINISHED, RETURNED, Direction, SagaInstance, State, StepStatus

ORDERS = Counter(
    "cloudmart_orders",
    "Orders by outcome: completed, failed, cancelled, returned, waiting (it may still complete), refused (before"
    " anything was stored) or error (interrupted by a busy database or an unforeseen error).",
    ["style", "outcome"],
)
ORDER_FAILURES = Counter(
    "cloudmart_order_failures", "Orders that failed, were cancelled or were refused, by error code.", ["style", "code"]
)
STOCK_SHORTAGES = Counter(
    "cloudmart_stock_shortages",
    "Orders refused for lack of stock, by stage: desk (before anything was stored) or reserving.",
    ["stage"],
)
ORDER_SECONDS = Histogram(
    "cloudmart_order_duration_seconds",
    "From the first transaction of an order until its saga is finished or waits.",
    ["style"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
STEP_SECONDS = Histogram(
    "cloudmart_saga_step_duration_seconds",
    "Every attempt at a saga's step, or a participant's reaction.",
    ["style", "step", "direction", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
STEP_RETRIES = Counter(
    "cloudmart_saga_step_retries",
    "Attempts at a step after its first, because the provider did not respond.",
    ["style", "step", "direction"],
)
COMPENSATIONS = Counter("cloudmart_compensations", "Steps that were undone.", ["style", "step"])
WAKE_UPS = Counter(
    "cloudmart_wake_ups",
    "Messages that a saga is due: published, failed, or skipped because RabbitMQ has been away, or is too slow.",
    ["style", "outcome"],
)
TASKS = Counter(
    "cloudmart_tasks",
    "Messages that a Celery worker has processed: recovered, lost (another driver has the saga, or it is not due),"
    " finished (it was already), unknown (there is no such order) or failed.",
    ["style", "outcome"],
)
TASK_SECONDS = Histogram(
    "cloudmart_task_duration_seconds",
    "From a message's arrival at a Celery process until it is processed.",
    ["style"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
LEASE_ACQUISITIONS = Counter(
    "cloudmart_lease_acquisitions",
    "Attempts to acquire the lease of a due saga: acquired, or lost to a driver that was faster.",
    ["outcome"],
)

OUT_OF_STOCK = "out_of_stock"
"""The error code that STOCK_SHORTAGES counts."""


@contextmanager
def counting_refusals(style: str) -> Iterator[None]:
    """Counts the DomainError that is raised within."""
    try:
        yield
    except DomainError as refusal:
        count_refusal(style, refusal.code)
        raise


@harmless
def count_refusal(style: str, code: str) -> None:
    """Counts an order that is refused before anything is stored."""
    ORDERS.labels(style, "refused").inc()
    ORDER_FAILURES.labels(style, code).inc()
    if code == OUT_OF_STOCK:
        STOCK_SHORTAGES.labels("desk").inc()


@harmless
def count_outcome(saga: SagaInstance) -> None:
    """Counts a saga that is finished or waits."""
    code = str((saga.failure or {}).get("code", ""))
    ORDERS.labels(saga.saga_type, outcome_of(saga.status, code)).inc()
    if saga.status != State.FAILED:
        return
    ORDER_FAILURES.labels(saga.saga_type, code).inc()
    if code == OUT_OF_STOCK:
        STOCK_SHORTAGES.labels("reserving").inc()


def begin_to_count(styles: Iterable[str]) -> None:
    """Sets the counters of errors to 0. A counter that appears with 1 has not increased, and raises no alert."""
    for style in styles:
        ORDERS.labels(style, "error")


@harmless
def count_error(style: str) -> None:
    """Counts a saga that an error has interrupted."""
    ORDERS.labels(style, "error").inc()


@harmless
def observe_order(style: str, seconds: float) -> None:
    """Observes how long a new order was driven."""
    ORDER_SECONDS.labels(style).observe(seconds)


@harmless
def count_wake_up(style: str, outcome: str) -> None:
    WAKE_UPS.labels(style, outcome).inc()


@harmless
def count_task(style: str, outcome: str, seconds: float) -> None:
    """Counts a message that a Celery worker has processed."""
    TASKS.labels(style, outcome).inc()
    TASK_SECONDS.labels(style).observe(seconds)


@harmless
def count_acquisition(*, acquired: bool) -> None:
    """Counts an attempt to acquire the lease of a due saga."""
    LEASE_ACQUISITIONS.labels("acquired" if acquired else "lost").inc()


def outcome_of(status: str, code: str) -> str:
    """Returns the outcome of an order whose saga has this status, and whose failure, if any, has this code."""
    if status not in FINISHED:
        return "waiting"
    if status == State.COMPLETED:
        return "completed"
    return {CANCELLED: "cancelled", RETURNED: "returned"}.get(code, "failed")


class LoggedAttempt(Protocol):
    """A line of an orchestrated saga's log."""

    step: str
    direction: Direction
    attempt: int
    status: StepStatus
    started: datetime
    finished: datetime | None


@harmless
def count_log(style: str, log: Iterable[LoggedAttempt]) -> None:
    """Counts the lines added to the log of an orchestrated saga."""
    for line in log:
        if line.finished:
            seconds = (line.finished - line.started).total_seconds()
            _count_attempt(style, line.step, line.direction, line.status, seconds, line.attempt)


@harmless
def count_call(style: str, call: Call, response: ProviderResponse) -> None:
    """Counts a provider call, with each of its attempts."""
    for number, attempt in enumerate(response.all_attempts, start=1):
        is_accepted = number == response.attempts and isinstance(response.outcome, Accepted)
        outcome = StepStatus.DONE if is_accepted else StepStatus.FAILED
        seconds = (attempt.finished - attempt.started).total_seconds()
        _count_attempt(style, call.name, call.direction, outcome, seconds, number)


@harmless
def count_reaction(style: str, step: str, direction: str, outcome: str, seconds: float) -> None:
    """Counts a reaction that needed no provider call; skipped if it published nothing."""
    _count_attempt(style, step, direction, outcome, seconds)


@cache
def _step_seconds(style: str, step: str, direction: str, outcome: str) -> Histogram:
    return STEP_SECONDS.labels(style, step, direction, outcome)


def _count_attempt(style: str, step: str, direction: str, outcome: str, seconds: float, attempt: int = 1) -> None:
    _step_seconds(style, step, direction, outcome).observe(seconds)
    if attempt > 1:
        STEP_RETRIES.labels(style, step, direction).inc()
    if (direction, outcome) == (Direction.UNDO, StepStatus.DONE):
        COMPENSATIONS.labels(style, step).inc()
