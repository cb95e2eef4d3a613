"""The front of the web server: it receives each request whole, within limits, before a thread works on it.

A client that sends slowly, too much or nothing costs a connection for a while, and never a thread. The server beneath
limits the time for the header and the number of connections; the front limits the time and the size of the body, and
the time that a request waits for a thread. Each probe has a thread of its own, so that it is answered while all
others are busy.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from cloudmart.api.problems import plain, problem
from cloudmart.process import drop_clients_that_do_not_read

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PROBES = ("/healthz", "/readyz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process allows; sizes are in bytes, times in seconds."""

    threads: int
    body_size: int
    """Of one request. The application refuses a longer one by its Content-Length; nobody reads it."""
    small_body: int
    """Up to this size a body is always received; beyond it, it counts towards `bodies_size`."""
    bodies_size: int
    """What counts of all requests that are received or worked on at a time."""
    body_time: float
    """From the end of the header to the end of the body."""
    queue_time: float
    """Until a thread is free."""
    probe_time: float
    """Until a probe is answered."""
    unread_time: float
    """For which a client may leave what it was sent unread."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class Refused(Exception):
    """The front answers by itself, with the problem of this code."""


class ClientGone(Exception):
    """The client hung up before its request was complete."""


class Front:
    """An ASGI application that runs a WSGI application in threads."""

    def __init__(self, application: WSGIApplication, limits: Limits) -> None:
        self._limits = limits
        self._threads = Threads(application, limits.threads, limits.queue_time)
        self._probes = {path: Threads(application, 1, limits.probe_time) for path in PROBES}
        self._bodies_size = 0
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._has_begun:
            self._has_begun = True
            drop_clients_that_do_not_read(self._limits.unread_time)
        try:
            answer = await self._answer(environ_of(scope), receive)
        except Refused as refusal:
            answer = refused(str(refusal))
        except ClientGone:
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.content})

    async def _answer(self, environ: WSGIEnvironment, receive: Receive) -> Answer:
        if probe := self._probes.get(environ["PATH_INFO"]):
            async with within(self._limits.probe_time, otherwise="busy"):
                return await probe.run(environ)
        body = bytearray()
        try:
            async with within(self._limits.body_time, otherwise="request_timeout"):
                await self._receive(body, environ, receive)
            return await self._threads.run(environ)
        finally:
            self._bodies_size -= self._counted(body)

    async def _receive(self, body: bytearray, environ: WSGIEnvironment, receive: Receive) -> None:
        """Fill `body`, and note its length; of a body that is too long nothing more is read."""
        if int(environ.get("CONTENT_LENGTH") or 0) > self._limits.body_size:
            return
        more = True
        while more and len(body) <= self._limits.body_size:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            others = self._bodies_size - self._counted(body)
            body += message.get("body", b"")
            self._bodies_size = others + self._counted(body)
            if self._counted(body) and self._bodies_size > self._limits.bodies_size:
                raise Refused("busy")
            more = message.get("more_body", False)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = BytesIO(body)

    def _counted(self, body: bytearray) -> int:
        """Returns how many bytes of this body count towards `bodies_size`."""
        return max(0, len(body) - self._limits.small_body)


class Threads:
    """Runs a WSGI application, so many requests at a time."""

    def __init__(self, application: WSGIApplication, count: int, queue_time: float) -> None:
        self._application, self._queue_time = application, queue_time
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="request")
        self._free = asyncio.Semaphore(count)

    async def run(self, environ: WSGIEnvironment) -> Answer:
        """Returns what the application answers. Raises Refused if no thread becomes free in time."""
        async with within(self._queue_time, otherwise="busy"):
            await self._free.acquire()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, answer_of, self._application, environ)
        finally:
            self._free.release()


@asynccontextmanager
async def within(seconds: float, *, otherwise: str) -> AsyncIterator[None]:
    """Raises Refused with the code `otherwise` when the block has not ended after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Refused(otherwise) from None


def environ_of(scope: Scope) -> WSGIEnvironment:
    """The request as a WSGI application reads it (PEP 3333), its body not yet received.

    Headers with an underscore in their name are dropped: a WSGI application cannot tell `X_Forwarded_For`, which
    anybody can send, from `X-Forwarded-For`, which a trusted proxy sends.
    """
    host, port = scope.get("server") or ("localhost", 80)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for header, value in scope["headers"]:
        if b"_" not in header:
            name, text = key_of(header), value.decode("latin-1")
            environ[name] = f"{environ[name]},{text}" if name in environ else text
    return environ


def key_of(header: bytes) -> str:
    """The name of a header in an environ."""
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"


def answer_of(application: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """Runs the application to the end of its response."""
    status = 500
    headers: list[tuple[bytes, bytes]] = []
    content: list[bytes] = []

    def start_response(line: str, fields: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        nonlocal status, headers
        status = int(line.split(" ", 1)[0])
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        return content.append

    response = application(environ, start_response)
    try:
        content.extend(response)
    finally:
        if hasattr(response, "close"):
            response.close()
    return Answer(status, headers, b"".join(content))


def refused(code: str) -> Answer:
    """The problem of this code, as the application would answer it."""
    response = plain(problem(code))
    headers = {**response.headers, "Cache-Control": "no-store", "Connection": "close"}
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Answer(response.status_code, fields, response.content)
