"""Work that a provider does for us: begin writes the intent, call asks, settle writes the outcome."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.kernel.text import LONGEST_CODE, LONGEST_ERROR, LONGEST_REASON, LONGEST_REFERENCE, storable

logger = logging.getLogger(__name__)


class RetryableError(Exception):
    """A provider call failed in a way that a repeat may mend."""


class ProviderUnavailable(RetryableError):
    """The provider did not take the request: nothing has happened."""


class OutcomeUnknown(RetryableError):
    """No answer came: it may have happened, or may yet. Ask again with the same key, or look it up."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has done it."""

    reference: str = ""
    """The provider's own name for what it did; "" where it gives none."""

    def __post_init__(self) -> None:
        reference = storable(self.reference, LONGEST_REFERENCE)
        if len(self.reference) > LONGEST_REFERENCE:
            logger.warning("a provider's reference of %s characters is cut: %s", len(self.reference), reference)
        object.__setattr__(self, "reference", reference)


@dataclass(frozen=True, slots=True)
class Refused:
    """It is certain that the provider has not done it, and why.

    Of a provider's refusal its sentence and its code, the `reason`, are kept, and nothing else that it tells.
    """

    error: DomainError

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", _storable_refusal(self.error))


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither is certain."""

    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", storable(self.reason, LONGEST_REASON))


Outcome = Accepted | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that failed in passing: when it started and ended, and how."""

    started: datetime
    finished: datetime
    error: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", storable(self.error, LONGEST_ERROR))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said in the end, in a try that took from `started` to `finished`, and the tries before."""

    outcome: Outcome
    started: datetime
    finished: datetime
    failures: tuple[Failure, ...] = ()
    error: str = ""
    """How the last try failed, when it did."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", storable(self.error, LONGEST_ERROR))

    @property
    def tries(self) -> int:
        return len(self.failures) + 1


class Intent(Protocol):
    """What is to be asked of a provider, written down with its idempotency key."""

    is_fresh: bool
    """Whether the transaction that has begun it was the first to write it: nobody can have sent it before."""


@dataclass(frozen=True, slots=True)
class RemoteOperation:
    """One thing that a provider can do, in its three parts. Each takes the order's facts, or as many as it needs."""

    begin: Callable[[Any], Any]
    """In a transaction: write the intent with its idempotency key and return it; None when nothing is to be asked."""

    call: Callable[[Any, Any], Outcome]
    """Outside of any: ask the provider. The same intent is asked under the same key. Raises RetryableError."""

    settle: Callable[[Any, Any, Outcome], None]
    """In a transaction: write the outcome. A second call changes nothing."""

    lookup: Callable[[Any, Any], Outcome]
    """Outside of any: what became of the intent. Raises RetryableError."""

    unavailable: type[DomainError]
    """Why the step fails when the provider never took the request."""

    undoes: bool = False
    """An undo cannot be refused: until it is accepted, it has to be asked again."""

    def is_settled_by(self, outcome: Outcome) -> bool:
        """Whether the saga can go on from this outcome; else it has to wait, and ask again."""
        return isinstance(outcome, Accepted) or (isinstance(outcome, Refused) and not self.undoes)


def nothing() -> None:
    pass


def ask(
    operation: RemoteOperation, order: OrderSnapshot, intent: Intent, before_repeat: Callable[[], None] = nothing
) -> Answer:
    """Call the provider, at most PROVIDER_TRIES times, and look the outcome up when no try gave a sure one.

    That the provider does not take the request settles it only when nobody can have sent it before: else what came of
    that is as unknown as it was. Before every further try, and before the look-up, `before_repeat` is called; what it
    raises ends the asking.
    """
    failures: list[Failure] = []
    is_doubtful = not intent.is_fresh
    began = timezone.now()

    def note(state: RetryCallState) -> None:
        nonlocal began, is_doubtful
        error = state.outcome.exception() if state.outcome else None
        failures.append(Failure(began, timezone.now(), f"{type(error).__name__}: {error}"))
        is_doubtful = is_doubtful or isinstance(error, OutcomeUnknown)
        began = timezone.now()

    tries = Retrying(
        stop=stop_after_attempt(settings.PROVIDER_TRIES),
        wait=wait_random_exponential(multiplier=settings.PROVIDER_BACKOFF),
        retry=retry_if_exception_type(RetryableError),
        before=lambda state: before_repeat() if state.attempt_number > 1 else None,
        after=note,
        reraise=True,
    )
    try:
        outcome = tries(operation.call, order, intent)
    except RetryableError:
        if is_doubtful:
            before_repeat()
            outcome = _found(operation, order, intent)
        else:
            outcome = Refused(operation.unavailable())
        *earlier, last = failures
        return Answer(outcome, last.started, last.finished, tuple(earlier), last.error)
    return Answer(outcome, began, timezone.now(), tuple(failures))


def perform(operation: RemoteOperation, wanted: Any) -> None:
    """Do it outside of any saga: begin, ask, settle; or go on with an intent that is there already.

    Several may ask for the same at once. So what is not certain, the provider's being out of reach included, settles
    nothing: the intent stays, and whoever asks next goes on under its key. Raises what `begin` raises.
    """
    try:
        intent = durable(operation.begin)(wanted)
    except IntegrityError:  # somebody else has just begun it
        intent = durable(operation.begin)(wanted)
    if intent is None:
        return
    outcome = ask(operation, wanted, intent).outcome
    never_taken = isinstance(outcome, Refused) and isinstance(outcome.error, operation.unavailable)
    if operation.is_settled_by(outcome) and not never_taken:
        durable(operation.settle)(wanted, intent, outcome)


def _found(operation: RemoteOperation, order: OrderSnapshot, intent: Any) -> Outcome:
    try:
        return operation.lookup(order, intent)
    except RetryableError as error:
        return Unknown(f"{type(error).__name__}: {error}")


def _storable_refusal(error: DomainError) -> DomainError:
    """The same refusal in texts that fit our columns; a reason that says nothing is the error's own code."""
    detail = storable(error.detail, LONGEST_REASON)
    if "reason" not in error.details:
        return type(error)(detail)
    return type(error)(detail, reason=storable(str(error.details["reason"] or ""), LONGEST_CODE) or error.code)
