"""The client of one shop."""

from types import TracebackType
from typing import Self

import httpx

from cloudmart_client.catalogue import Books, Inventory
from cloudmart_client.drafts import Drafts
from cloudmart_client.endpoints import Deliveries, Endpoints
from cloudmart_client.orders import Orders
from cloudmart_client.providers import Payments, Shipping
from cloudmart_client.sagas import Sagas
from cloudmart_client.transport import Retries, Transport

TIMEOUT = httpx.Timeout(30, connect=5)
"""Seconds for each part of a request. The server responds to a command, or to `wait`, within about ten."""

DEFAULT_RETRIES = Retries()


class CloudMart:
    """Asks the API at `base_url` with a token. Close it, or use it in a `with` block. Threads may share it."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout: httpx.Timeout | float = TIMEOUT,
        retries: Retries = DEFAULT_RETRIES,
        language: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`language`, such as `ja`, is that of the texts of problems. `transport` is httpx's, for tests."""
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, application/problem+json"}
        if language:
            headers["Accept-Language"] = language
        http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout, transport=transport)
        self._transport = Transport(http, retries)
        self.orders = Orders(self._transport)
        self.drafts = Drafts(self._transport)
        self.books = Books(self._transport)
        self.inventory = Inventory(self._transport)
        self.payments = Payments(self._transport)
        self.shipping = Shipping(self._transport)
        self.sagas = Sagas(self._transport)
        self.webhook_endpoints = Endpoints(self._transport)
        self.webhook_deliveries = Deliveries(self._transport)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
