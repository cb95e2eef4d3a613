"""HTTP requests within limits: how long one may take in all, and how much the server may send.

A timeout of httpcore, as of httpx above it, is for a single read or write: a server that sends a byte every other
second exceeds none. So the limits are enforced below it, where bytes are read and written, whatever they mean.
"""

import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from ssl import SSLContext
from threading import Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpcore

from cloudmart.kernel import tracing
from cloudmart.kernel.tracing import Kind

CLOSED = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)
"""What httpcore raises if the server closes the connection before its response."""

PIECE = 16 * 1024
"""Bytes that are written at once."""


class ResponseTooLarge(httpcore.ProtocolError):
    """The response exceeds its size limit."""


@dataclass(frozen=True, slots=True)
class Response:
    """The server's response. Its content is not decompressed."""

    status: int
    content: bytes
    encoding: str
    """The Content-Encoding; "identity" when there is none."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case. Of several with one name, the last."""


@dataclass(slots=True)
class Allowance:
    """What one request may still use: the time until its deadline, and the bytes of its response."""

    deadline: float
    size: int
    is_unanswered: bool = False
    """True while the request is on a connection that was open before, and nothing was received on it."""

    def timeout(self, wanted: float | None, error: type[httpcore.TimeoutException]) -> float:
        """Returns the seconds that the next step may take. Raises `error` past the deadline."""
        left = self.deadline - monotonic()
        if left <= 0:
            raise error("the deadline of the request has passed")
        return left if wanted is None else min(wanted, left)

    def spend(self, received: bytes) -> bytes:
        """Returns what was received. Raises ResponseTooLarge."""
        self.is_unanswered = self.is_unanswered and not received
        self.size -= len(received)
        if self.size < 0:
            raise ResponseTooLarge("the response is too large")
        return received


Resolve = Callable[[str, int], list[str]]
"""Returns the addresses of a host, for a port. Raises httpcore.ConnectError if none may be connected to."""


def addresses_of(host: str, port: int) -> list[str]:
    """Asks the system's resolver. Raises httpcore.ConnectError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return [str(address[0]) for *_, address in found]


def resolved(resolve: Resolve, host: str, port: int, seconds: float) -> list[str]:
    """Returns what `resolve` returns. Raises httpcore.ConnectTimeout if that takes longer.

    Nothing ends a lookup of the system's resolver, which may take minutes: its thread ends when it does.
    """
    found = Future[list[str]]()

    def run() -> None:
        try:
            found.set_result(resolve(host, port))
        except Exception as error:
            found.set_exception(error)

    Thread(target=run, name="resolver", daemon=True).start()
    try:
        return found.result(seconds)
    except TimeoutError:
        raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from None


_allowance: ContextVar[Allowance] = ContextVar("allowance")
"""The allowance of the request that this thread is making: a connection serves many requests in turn."""


class HttpClient:
    """Pools connections, for all threads of a process. It uses no proxy and no setting of the environment.

    It follows no redirect. It connects to the addresses that `resolve` returns, and to no other.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        deadline: float,
        max_response: int,
        resolve: Resolve = addresses_of,
        ssl_context: SSLContext | None = None,
        may_repeat: bool = False,
    ) -> None:
        """`deadline` is the seconds that a request may take in all; `max_response`, in bytes, includes the headers.

        With `may_repeat` a request is sent again if the server closes a connection that was open before, instead of
        a response: servers close connections that are not used for a while.
        """
        self._timeouts = {"connect": connect_timeout, "read": read_timeout, "write": read_timeout}
        self._deadline, self._max_response, self._may_repeat = deadline, max_response, may_repeat
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context or httpcore.default_ssl_context(),
            max_connections=None,  # a thread uses one at a time
            keepalive_expiry=5.0,  # seconds that an unused connection stays open
            network_backend=LimitedBackend(resolve),
        )

    def request(self, method: str, url: str, headers: Mapping[str, str], content: bytes = b"") -> Response:
        """Raises what httpcore raises: ConnectError and ConnectTimeout if nothing was sent."""
        with tracing.span(method, kind=Kind.CLIENT) as span:
            if tracing.is_on():
                span.set(_description(method, url))
            sent = {"Accept-Encoding": "identity", **_trace_context(), **headers}
            response = self._request(method, url, sent, content)
            span.set({"http.response.status_code": response.status})
            if response.status >= 400:
                span.fail(str(response.status))
        return Response(response.status, response.content, _encoding_of(response), _headers_of(response))

    def _request(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> httpcore.Response:
        options: Any = {"headers": [*headers.items()], "content": content, "extensions": {"timeout": self._timeouts}}
        allowance = Allowance(monotonic() + self._deadline, self._max_response)
        token = _allowance.set(allowance)
        try:
            while True:
                allowance.is_unanswered = True
                try:
                    return self._pool.request(method, url, **options)
                except CLOSED:
                    if not (self._may_repeat and allowance.is_unanswered):
                        raise
        finally:
            _allowance.reset(token)

    def close(self) -> None:
        self._pool.close()


class LimitedBackend(httpcore.NetworkBackend):
    """Opens connections that keep to the allowance of the request that uses them."""

    def __init__(self, resolve: Resolve) -> None:
        self._backend, self._resolve = httpcore.SyncBackend(), resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Each address of the host is tried for `timeout` seconds, and all of them until the deadline."""
        allowance = _allowance.get()
        allowance.is_unanswered = False
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        left = allowance.timeout(timeout, httpcore.ConnectTimeout)
        for address in resolved(self._resolve, host, port, left):
            left = allowance.timeout(timeout, httpcore.ConnectTimeout)
            try:
                return LimitedStream(self._backend.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class LimitedStream(httpcore.NetworkStream):
    """A connection that keeps to the allowance of the request that uses it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        allowance = _allowance.get()
        return allowance.spend(self._stream.read(max_bytes, allowance.timeout(timeout, httpcore.ReadTimeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Writes in pieces: httpcore waits for `timeout` seconds each time that the server has read something."""
        allowance = _allowance.get()
        for start in range(0, len(buffer), PIECE):
            left = allowance.timeout(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + PIECE], left)

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _allowance.get().timeout(timeout, httpcore.ConnectTimeout)
        return LimitedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _description(method: str, url: str) -> tracing.Attributes:
    """Returns what a span says of a request: no more of the URL, which may contain a password."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"http.request.method": method, "server.address": parts.hostname or "", "server.port": port}


def _trace_context() -> dict[str, str]:
    """Returns the header by which the server can continue the trace."""
    traceparent = tracing.current_traceparent()
    return {"traceparent": traceparent} if traceparent else {}


def _encoding_of(response: httpcore.Response) -> str:
    found = [value for name, value in response.headers if name.lower() == b"content-encoding"]
    return b",".join(found or [b"identity"]).decode("ascii", "replace").lower()


def _headers_of(response: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
