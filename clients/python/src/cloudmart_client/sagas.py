"""The sagas behind the orders: what they have done, and the operators' commands on them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from cloudmart_client.models import Saga, SagaState, SagaStatus, SagaStyle
from cloudmart_client.orders import Ordered, id_of
from cloudmart_client.resource import Resource, segment
from cloudmart_client.transport import given


class Sagas(Resource):
    """`client.sagas`."""

    def status(self, order: Ordered) -> SagaStatus:
        """Returns the state of an order's saga, every step and event, and the failure if there is one."""
        return self._get(SagaStatus, f"/saga/{segment(id_of(order))}/status")

    def list(
        self,
        *,
        status: SagaState | None = None,
        style: SagaStyle | None = None,
        attention: Literal["required"] | None = None,
        abandoned: bool | None = None,
        started_from: datetime | None = None,
        started_to: datetime | None = None,
        page_size: int | None = None,
    ) -> Iterator[Saga]:
        """For operators: yields sagas, newest first."""
        query = given(
            status=status,
            style=style,
            attention=attention,
            abandoned=abandoned,
            started_from=started_from,
            started_to=started_to,
            page_size=page_size,
        )
        return self._list(Saga, "/saga", query)

    def retry(self, order: Ordered, *, reason: str | None = None, idempotency_key: str | None = None) -> SagaStatus:
        """For operators: tries the present step again now."""
        return self._operate(order, "retry", reason, idempotency_key)

    def cancel(self, order: Ordered, *, reason: str | None = None, idempotency_key: str | None = None) -> SagaStatus:
        """For operators: cancels the order, and undoes all of it."""
        return self._operate(order, "cancel", reason, idempotency_key)

    def compensate(
        self, order: Ordered, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> SagaStatus:
        """For operators: undoes an unfinished or abandoned order."""
        return self._operate(order, "compensate", reason, idempotency_key)

    def resume(self, order: Ordered, *, reason: str | None = None, idempotency_key: str | None = None) -> SagaStatus:
        """For operators: continues an abandoned saga."""
        return self._operate(order, "resume", reason, idempotency_key)

    def abandon(self, order: Ordered, *, reason: str, idempotency_key: str | None = None) -> SagaStatus:
        """For operators: stops the retries of a saga. The customer can read the reason."""
        return self._operate(order, "abandon", reason, idempotency_key)

    def _operate(self, order: Ordered, command: str, reason: str | None, key: str | None) -> SagaStatus:
        path = f"/saga/{segment(id_of(order))}/{command}"
        return self._command(SagaStatus, "POST", path, given(reason=reason), key)
