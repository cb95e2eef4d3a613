"""Calling a provider: retries with backoff, then a lookup if the outcome is in doubt."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from structlog import get_logger
from structlog.contextvars import bound_contextvars
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cloudmart.database.transactions import durable
from cloudmart.kernel import tracing
from cloudmart.kernel.text import LONGEST_ERROR, storable
from cloudmart.kernel.tracing import Kind, Span
from cloudmart.providers.operation import Intent, Record, RemoteOperation, Subject
from cloudmart.providers.outcomes import Outcome, OutcomeUnknown, Refused, RetryableError, Unknown

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a provider call."""

    started: datetime
    finished: datetime
    error: str
    """How it failed; "" if it did not."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", storable(self.error, LONGEST_ERROR))


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    """The outcome of a provider call, the times of its last attempt, and the failed attempts before that."""

    outcome: Outcome
    started: datetime
    finished: datetime
    failed_attempts: tuple[Attempt, ...] = ()
    error: str = ""
    """How the last attempt failed; "" if it did not."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", storable(self.error, LONGEST_ERROR))

    @property
    def attempts(self) -> int:
        return len(self.failed_attempts) + 1

    @property
    def all_attempts(self) -> tuple[Attempt, ...]:
        return *self.failed_attempts, Attempt(self.started, self.finished, self.error)


def nothing(*args: object) -> None:
    pass


def call_provider(
    operation: RemoteOperation[Any, Any], intent: Intent[Any], before_retry: Callable[[], None] = nothing
) -> ProviderResponse:
    """Sends the intent, at most PROVIDER_TRIES times, and looks its outcome up if no attempt gave a certain one.

    If the provider never takes the request, that is a refusal only for a new intent: an earlier one may have been
    taken before. `before_retry` is called before each further attempt and before the lookup; what it raises ends the
    call.
    """
    with tracing.span(f"call {operation.command}") as span:
        response = _call(operation, intent, before_retry)
        _describe(span, response)
    return response


def _call(
    operation: RemoteOperation[Any, Any], intent: Intent[Any], before_retry: Callable[[], None]
) -> ProviderResponse:
    started = timezone.now()
    try:
        outcome = _attempt(operation, intent, 1)
    except RetryableError as error:
        return _retry(operation, intent, before_retry, started, error)
    return ProviderResponse(outcome, started, timezone.now())


def _attempt(operation: RemoteOperation[Any, Any], intent: Intent[Any], number: int) -> Outcome:
    with tracing.span(operation.command, {"cloudmart.attempt": number}, kind=Kind.CLIENT):
        return operation.call(intent)


def _describe(span: Span, response: ProviderResponse) -> None:
    """Says in the span how the call ended. A refusal is a regular end."""
    outcome = response.outcome
    span.set({"cloudmart.outcome": type(outcome).__name__, "cloudmart.attempts": response.attempts})
    if isinstance(outcome, Refused):
        span.set({"cloudmart.error_code": outcome.error.code})
    elif isinstance(outcome, Unknown):
        span.fail(type(outcome).__name__)


def _retry(
    operation: RemoteOperation[Any, Any],
    intent: Intent[Any],
    before_retry: Callable[[], None],
    started: datetime,
    first_error: RetryableError,
) -> ProviderResponse:
    """Continues a call whose first attempt has failed."""
    failed: list[Attempt] = []
    in_doubt = not intent.is_new

    def begin_attempt(state: RetryCallState) -> None:
        nonlocal started
        if state.attempt_number > 1:
            before_retry()
            started = timezone.now()

    def record_failure(state: RetryCallState) -> None:
        nonlocal in_doubt
        error = state.outcome.exception() if state.outcome else None
        failed.append(Attempt(started, timezone.now(), f"{type(error).__name__}: {error}"))
        in_doubt = in_doubt or isinstance(error, OutcomeUnknown)

    def call_again(intent: Intent[Any]) -> Outcome:
        return _attempt(operation, intent, len(failed) + 1)

    def log_retry(state: RetryCallState) -> None:
        seconds = state.next_action.sleep if state.next_action else 0
        log_failure(operation, len(failed), failed[-1].error, f"another attempt in {seconds:.3f} s")

    attempts = Retrying(
        stop=stop_after_attempt(settings.PROVIDER_TRIES),
        wait=wait_random_exponential(multiplier=settings.PROVIDER_BACKOFF),
        retry=retry_if_exception_type(RetryableError),
        before=begin_attempt,
        after=record_failure,
        before_sleep=log_retry,
        reraise=True,
    )
    try:
        outcome = attempts(failing_first_with(first_error, call_again), intent)
    except RetryableError:
        log_failure(operation, len(failed), failed[-1].error, "a lookup" if in_doubt else "none: it is unavailable")
        if in_doubt:
            before_retry()
            outcome = _look_up(operation, intent)
        else:
            outcome = Refused(operation.unavailable())
        *earlier, last = failed
        return ProviderResponse(outcome, last.started, last.finished, tuple(earlier), last.error)
    return ProviderResponse(outcome, started, timezone.now(), tuple(failed))


def log_failure(operation: RemoteOperation[Any, Any], attempt: int, error: str, what_follows: str) -> None:
    logger.warning("provider call failed", command=operation.command, attempt=attempt, error=error, next=what_follows)


def failing_first_with(error: RetryableError, call: Callable[[Intent[Any]], Outcome]) -> Callable[..., Outcome]:
    """Returns `call`, except that the first time it raises this error instead."""
    errors = [error]

    def attempt(intent: Intent[Any]) -> Outcome:
        if errors:
            raise errors.pop()
        return call(intent)

    return attempt


def perform(
    operation: RemoteOperation[Subject, Record],
    subject: Subject,
    first: Callable[[], None] = nothing,
) -> None:
    """Runs the operation outside of any saga: begin, call, settle; or continues an intent that is recorded already.

    `first` is called at the beginning of the transaction that runs `begin`; both are committed, or neither. Several
    callers may share an intent. So an outcome that is not certain settles nothing, nor does an unavailable provider:
    the intent stays, and the next caller continues it under its key. Raises what `first`, `begin` and
    `settle` raise.
    """
    try:
        intent = begin_operation(operation, subject, first)
    except IntegrityError:  # another caller has just begun it
        intent = begin_operation(operation, subject, first)
    if intent is None:
        return
    with bound_contextvars(order_id=str(subject.order_id)):
        outcome = call_provider(operation, intent).outcome
    never_taken = isinstance(outcome, Refused) and isinstance(outcome.error, operation.unavailable)
    if operation.is_settled_by(outcome) and not never_taken:
        settle_operation(operation, intent, outcome)


@durable
def begin_operation(
    operation: RemoteOperation[Subject, Any], subject: Subject, first: Callable[[], None]
) -> Intent[Any] | None:
    first()
    return operation.begin(subject)


@durable
def settle_operation(operation: RemoteOperation[Any, Record], intent: Intent[Record], outcome: Outcome) -> None:
    operation.settle(intent, outcome)


def _look_up(operation: RemoteOperation[Any, Any], intent: Intent[Any]) -> Outcome:
    try:
        with tracing.span(f"look up {operation.command}", kind=Kind.CLIENT):
            return operation.lookup(intent)
    except RetryableError as error:
        outcome = Unknown(f"{type(error).__name__}: {error}")
        logger.warning("provider lookup failed", command=operation.command, error=outcome.reason)
        return outcome
