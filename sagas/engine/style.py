"""What the engine asks of a saga style, and the values that both pass to each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.providers.calling import ProviderResponse
from cloudmart.providers.operation import Intent, RemoteOperation
from sagas.events import attempt_data
from sagas.models import Direction


@dataclass(frozen=True, slots=True)
class Call:
    """A provider call whose intent is stored: the engine makes it with no transaction open."""

    name: str
    """The step, or the reaction, that needs it."""
    operation: RemoteOperation[Any, Any]
    intent: Intent[Any]
    direction: Direction
    event_id: UUID | None = None
    """In choreography: the event that the reaction processes."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A call, and a response that says for certain what the provider has done."""

    call: Call
    response: ProviderResponse

    @property
    def details(self) -> dict[str, Any]:
        """What is worth recording of the call, as JSON."""
        details = self.call.operation.details(self.call.intent, self.response.outcome)
        return {**details, "attempts": self.response.attempts, "started_at": self.response.started.isoformat()}


def failed_attempts(call: Call, response: ProviderResponse, error: str = "") -> list[dict[str, Any]]:
    """Returns the data of an AttemptFailed event for each attempt that failed.

    `error` is why the last attempt counts as failed if it has no error of its own.
    """
    attempts = response.all_attempts
    errors = [*(attempt.error for attempt in attempts[:-1]), attempts[-1].error or error]
    command = call.operation.command
    return [
        {**attempt_data(command, number, error, attempt.finished), "started_at": attempt.started.isoformat()}
        for number, (attempt, error) in enumerate(zip(attempts, errors, strict=True), start=1)
        if error
    ]


@dataclass(frozen=True, slots=True)
class SagaResult:
    """How a saga finished."""

    order: OrderSnapshot
    state: str
    failure: dict[str, Any] | None
    actor: str
    """Who undoes a failed order: who cancelled or returned it, or else the saga itself."""
    idempotency_scope: str
    settled: Mapping[str, Any] = field(default_factory=dict)
    """The details of the provider call that this transaction has settled; empty if there is none."""


First = Callable[[], None]
"""What else the first transaction of a saga or command writes: the claim of an idempotency key, for instance."""

OnFinished = Callable[[SagaResult], Any]
"""Runs in the transaction that finishes a saga. What it returns is the saga's `outcome` for this driver."""


class Style(Protocol):
    """Decides what one saga does next, for one driver.

    `open`, `advance` and `compensate` are durable: they take all steps up to the next provider call in one
    transaction, and return that call, or None if the saga is finished. They check the lease's fence, and raise
    LeaseLost, having written nothing, if another driver has acquired the lease.
    """

    def open(self, first: First) -> Call | None:
        """Stores the saga and the order, and takes the first steps."""
        ...

    def advance(self, settled: Settled | None = None) -> Call | None:
        """Settles the call, if there is one, and takes the next steps.

        Without one, begins the call again that was in flight when the last driver stopped. Compensates instead if a
        cancellation is requested; without a settled call, also past the saga's deadline.
        """
        ...

    def compensate(self, reason: DomainError, actor: str) -> Call | None:
        """Acquires the lease of a completed saga for `actor`, and begins to undo it: it is cancelled, or returned.

        Raises the error of the first undo that is refused, having written nothing.
        """
        ...

    def record_unsettled(self, call: Call, response: ProviderResponse) -> None:
        """Logs, in the open transaction, a response that does not say for certain what the provider has done."""
        ...
