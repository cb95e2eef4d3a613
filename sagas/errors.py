"""Why a saga fails, or refuses a command."""

from typing import Any
from uuid import UUID

from cloudmart.kernel.errors import DomainError


class SagaFailed(DomainError):
    """The order could not be carried out; every step is undone."""

    def __init__(self, order_id: UUID, state: str, failure: dict[str, Any] | None) -> None:
        """Has the code, the detail and the details of the first failure."""
        details = dict(failure or {})
        self.code = details.pop("code")
        detail = details.pop("detail")
        super().__init__(detail, **details, order_id=str(order_id), saga_status=state)


class SagaNotFound(DomainError, code="saga_not_found"):
    """There is no saga of this order."""


class SagaRunning(DomainError, code="saga_running"):
    """The order's saga is not finished."""


class SagaAbandoned(DomainError, code="saga_abandoned"):
    """An operator has abandoned the order's saga."""


class SagaTimedOut(DomainError, code="saga_timed_out"):
    """The order could not be finished in time."""


class LeaseLost(Exception):
    """Another driver has acquired the saga's lease; nothing of the open transaction may be stored."""


class SagaStuck(Exception):
    """All events are delivered but the saga is not finished: a reaction is missing."""
