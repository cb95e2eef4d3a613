"""A client's connection to the API."""

import json
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from select import select
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks.server import TIMEOUT


class Response(NamedTuple):
    """An HTTP status, and a JSON object, which is empty if the body is something else. Status 0: no response."""

    status: int
    body: dict[str, Any]

    @property
    def is_2xx(self) -> bool:
        return 200 <= self.status < 300


NO_RESPONSE = Response(0, {})


class Connection:
    """One connection of one user, kept open between requests."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def open(self) -> None:
        """Connects before the first request is due. If that fails, the request tries again, and counts the failure."""
        with suppress(OSError):
            self._connection.connect()

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> Response:
        self._reconnect_if_closed()
        try:
            self._connection.request("POST", path, json.dumps(body).encode(), {**self._headers, **headers})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, HTTPException):
            self._connection.close()
            return NO_RESPONSE
        return Response(response.status, parsed(content))

    def _reconnect_if_closed(self) -> None:
        """Discards a connection that the server has closed because it was idle. The next request makes a new one."""
        if self._connection.sock and select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()


def parsed(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
