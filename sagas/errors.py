"""How a saga ends badly."""

from typing import Any
from uuid import UUID

from cloudmart.kernel.errors import DomainError


class SagaFailed(DomainError):
    """The order could not be carried out; everything is undone."""

    def __init__(self, order_id: UUID, state: str, failure: dict[str, Any] | None) -> None:
        """Says what the first failure said, and of which order."""
        details = dict(failure or {})
        self.code = details.pop("code")
        detail = details.pop("detail")
        super().__init__(detail, **details, order_id=str(order_id), saga_status=state)


class SagaNotFound(DomainError):
    """There is no saga of this order."""

    code = "saga_not_found"


class SagaRunning(DomainError):
    """The order's saga is still at work."""

    code = "saga_running"


class SagaAbandoned(DomainError):
    """An operator has abandoned the order's saga."""

    code = "saga_abandoned"


class SagaTimedOut(DomainError):
    """The order could not be finished in time."""

    code = "saga_timed_out"


class LeaseLost(Exception):
    """Somebody else has moved this saga on; what we were about to write is theirs to write."""
