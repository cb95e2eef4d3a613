"""How a saga ends badly."""

from typing import Any

from cloudmart.kernel.errors import DomainError
from sagas.models import SagaInstance


class SagaFailed(DomainError):
    """The order could not be carried out; everything is undone."""

    def __init__(self, saga: SagaInstance) -> None:
        """Says what the first failure said, and of which order."""
        failure: dict[str, Any] = dict(saga.failure or {})
        self.code = failure.pop("code", "saga_failed")
        detail = failure.pop("detail", "")
        super().__init__(detail, **failure, order_id=str(saga.order_id), saga_status=saga.status)


class SagaNotFound(DomainError):
    """There is no saga of this order."""

    code = "saga_not_found"


class Overtaken(Exception):
    """Somebody else has moved this saga on; what we were about to write is theirs to write."""
