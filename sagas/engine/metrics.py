"""What is counted of orders and their sagas; all of it once it is committed."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from prometheus_client import Counter, Histogram

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.metrics import harmless
from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.outcomes import Accepted
from sagas.models import CANCELLED, Direction, SagaInstance, SagaStepLog, State, StepStatus

ORDERS = Counter(
    "cloudmart_orders",
    "Orders by what became of them: completed, failed, cancelled, waiting (it may complete yet), refused (at the desk:"
    " nothing was written) or error (broken off, by a database that is too busy or by what nobody foresaw).",
    ["style", "outcome"],
)
ORDER_FAILURES = Counter(
    "cloudmart_order_failures", "Orders that failed, were cancelled or were refused, by why.", ["style", "code"]
)
STOCK_SHORTAGES = Counter(
    "cloudmart_stock_shortages",
    "Orders that wanted more copies than there were: seen at the desk, or only while reserving.",
    ["stage"],
)
ORDER_SECONDS = Histogram(
    "cloudmart_order_duration_seconds",
    "From the first transaction of an order until it rests or waits.",
    ["style"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
STEP_SECONDS = Histogram(
    "cloudmart_saga_step_duration_seconds",
    "Every try of a saga's step, or of a participant's reaction.",
    ["style", "step", "direction", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
STEP_RETRIES = Counter(
    "cloudmart_saga_step_retries",
    "Tries of a step after its first, because the provider gave no answer.",
    ["style", "step", "direction"],
)
COMPENSATIONS = Counter("cloudmart_compensations", "Steps that were undone.", ["style", "step"])

OUT_OF_STOCK = "out_of_stock"
"""The code of failures that are counted apart."""


def counts_refusals(place: Callable[..., SagaInstance]) -> Callable[..., SagaInstance]:
    """Count what `place` refuses an order with."""

    @wraps(place)
    def run(request: Any, *args: Any) -> SagaInstance:
        try:
            return place(request, *args)
        except DomainError as refusal:
            count_refusal(request.saga_style, refusal.code)
            raise

    return run


@harmless
def count_refusal(style: str, code: str) -> None:
    """The desk has refused an order."""
    ORDERS.labels(style, "refused").inc()
    ORDER_FAILURES.labels(style, code).inc()
    if code == OUT_OF_STOCK:
        STOCK_SHORTAGES.labels("desk").inc()


@harmless
def count_outcome(saga: SagaInstance) -> None:
    """The saga has come to rest, or waits."""
    code = str((saga.failure or {}).get("code", ""))
    ORDERS.labels(saga.saga_type, outcome_of(saga, code)).inc()
    if saga.status != State.FAILED:
        return
    ORDER_FAILURES.labels(saga.saga_type, code).inc()
    if code == OUT_OF_STOCK:
        STOCK_SHORTAGES.labels("reserving").inc()


@harmless
def count_error(style: str) -> None:
    """An error has broken off the driving of a saga."""
    ORDERS.labels(style, "error").inc()


@harmless
def observe_order(style: str, seconds: float) -> None:
    """This long it took to drive a new order as far as it would go."""
    ORDER_SECONDS.labels(style).observe(seconds)


def outcome_of(saga: SagaInstance, code: str) -> str:
    """What became of an order whose failure, if any, has this code."""
    if not saga.is_finished:
        return "waiting"
    if saga.status == State.COMPLETED:
        return "completed"
    return "cancelled" if code == CANCELLED else "failed"


@harmless
def count_log(style: str, log: Iterable[SagaStepLog]) -> None:
    """These lines were added to the log of an orchestrated saga."""
    for line in log:
        if line.finished:
            seconds = (line.finished - line.started).total_seconds()
            _count_try(style, line.step, line.direction, line.status, seconds, line.attempt)


@harmless
def count_answer(style: str, step: str, direction: str, answer: ProviderResponse) -> None:
    """A provider was asked, in one or more tries."""
    for attempt, failure in enumerate(answer.failed_attempts, start=1):
        seconds = (failure.finished - failure.started).total_seconds()
        _count_try(style, step, direction, StepStatus.FAILED, seconds, attempt)
    seconds = (answer.finished - answer.started).total_seconds()
    outcome = StepStatus.DONE if isinstance(answer.outcome, Accepted) else StepStatus.FAILED
    _count_try(style, step, direction, outcome, seconds, answer.attempts)


@harmless
def count_reaction(style: str, step: str, direction: str, outcome: str, seconds: float) -> None:
    """A participant has done, in one transaction, what it does when it hears a fact; skipped: that was nothing."""
    _count_try(style, step, direction, outcome, seconds)


def _count_try(style: str, step: str, direction: str, outcome: str, seconds: float, attempt: int = 1) -> None:
    STEP_SECONDS.labels(style, step, direction, outcome).observe(seconds)
    if attempt > 1:
        STEP_RETRIES.labels(style, step, direction).inc()
    if (direction, outcome) == (Direction.UNDO, StepStatus.DONE):
        COMPENSATIONS.labels(style, step).inc()
