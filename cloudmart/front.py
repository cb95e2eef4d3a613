"""The front of the web server: it receives each request in full, within limits, before a thread works on it.

A client that sends slowly, too much or nothing occupies a connection for a while, but never a thread. The web server
limits the time for the header and the number of connections; the front limits the time and the size of the body, and
the time that a request waits for a thread. Each probe has its own thread, so that it responds while others are busy.
A request that waits for an order occupies no thread either: see `cloudmart/api/long_polling.py`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from cloudmart.api.long_polling import LONG_POLL, LongPoll
from cloudmart.api.problems import json_response, problem
from cloudmart.process import drop_clients_that_do_not_read
from cloudmart.watcher import Watcher

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PROBES = ("/healthz", "/readyz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one process; sizes are in bytes, times in seconds."""

    threads: int
    body_size: int
    """Of one request. The application rejects a longer one by its Content-Length, without reading it."""
    small_body: int
    """A body up to this size is always received. Only what exceeds it counts towards `bodies_size`."""
    bodies_size: int
    """The limit for all bodies in memory together."""
    body_time: float
    """From the end of the header to the end of the body."""
    queue_time: float
    """Until a thread is free."""
    probe_time: float
    """Until a probe has its response."""
    unread_time: float
    """For which a client may leave data unread."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class RequestRejected(Exception):
    """The front responds with the problem of this code, without the application."""


class ClientGone(Exception):
    """The client disconnected before its request was complete, or while it waited for an order."""


class Front:
    """An ASGI application that runs a WSGI application in threads."""

    def __init__(self, application: WSGIApplication, limits: Limits, watcher: Watcher) -> None:
        self._limits, self._watcher = limits, watcher
        self._threads = Threads(application, limits.threads, limits.queue_time)
        self._probes = {path: Threads(application, 1, limits.probe_time) for path in PROBES}
        self._bodies_size = 0
        self._has_started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._has_started:
            self._has_started = True
            drop_clients_that_do_not_read(self._limits.unread_time)
        environ = environ_of(scope)
        try:
            response = await self._respond(environ, receive)
        except RequestRejected as rejection:
            response = problem_response(str(rejection), environ.get("HTTP_ACCEPT", ""))
        except ClientGone:
            return
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": response.content})

    async def _respond(self, environ: WSGIEnvironment, receive: Receive) -> Response:
        if probe := self._probes.get(environ["PATH_INFO"]):
            async with within(self._limits.probe_time, otherwise="busy"):
                return await probe.run(environ)
        body = bytearray()
        try:
            async with within(self._limits.body_time, otherwise="request_timeout"):
                await self._receive(body, environ, receive)
            return await self._run(environ, receive)
        finally:
            self._bodies_size -= self._counted(body)

    async def _run(self, environ: WSGIEnvironment, receive: Receive) -> Response:
        """Runs the application; a second time once the order is finished that it asks to wait for, if any."""
        if not self._watcher.has_room:
            return await self._threads.run(environ)
        poll = environ[LONG_POLL] = LongPoll()
        now = asyncio.get_running_loop().time
        began = now()
        response = await self._threads.run(environ)
        if poll.order_id is None:
            return response
        asked = now()
        await unless_disconnected(receive, self._watcher.wait(poll.order_id, began + poll.seconds - asked))
        poll.waited = now() - asked
        environ["wsgi.input"].seek(0)
        return await self._threads.run(environ)

    async def _receive(self, body: bytearray, environ: WSGIEnvironment, receive: Receive) -> None:
        """Fills `body` and sets CONTENT_LENGTH. Stops reading a body that is too long."""
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
                raise RequestRejected("busy")
            more = message.get("more_body", False)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = BytesIO(body)

    def _counted(self, body: bytearray) -> int:
        """Returns how many bytes of this body count towards `bodies_size`."""
        return max(0, len(body) - self._limits.small_body)


class Threads:
    """Runs a WSGI application in a fixed number of threads."""

    def __init__(self, application: WSGIApplication, count: int, queue_time: float) -> None:
        self._application, self._queue_time = application, queue_time
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="request")
        self._free = asyncio.Semaphore(count)

    async def run(self, environ: WSGIEnvironment) -> Response:
        """Returns the application's response. Raises RequestRejected if no thread becomes free in time."""
        async with within(self._queue_time, otherwise="busy"):
            await self._free.acquire()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, run_application, self._application, environ
            )
        finally:
            self._free.release()


async def unless_disconnected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Returns when the work is done. Cancels it, and raises ClientGone, if the client disconnects before."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(disconnected(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
    finally:
        working.cancel()
        leaving.cancel()


async def disconnected(receive: Receive) -> None:
    """Returns when the client of a request that is complete disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def within(seconds: float, *, otherwise: str) -> AsyncIterator[None]:
    """Raises RequestRejected with the code `otherwise` if the block takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise RequestRejected(otherwise) from None


def environ_of(scope: Scope) -> WSGIEnvironment:
    """Returns the WSGI environment of a request (PEP 3333) without its body.

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
            name, text = environ_key(header), value.decode("latin-1")
            environ[name] = f"{environ[name]},{text}" if name in environ else text
    return environ


def environ_key(header: bytes) -> str:
    """Returns the key of a header in the WSGI environment."""
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"


def run_application(application: WSGIApplication, environ: WSGIEnvironment) -> Response:
    """Runs the application and reads its complete response."""
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
    return Response(status, headers, b"".join(content))


def problem_response(code: str, accept: str) -> Response:
    """Returns the problem response that the application would send for this code."""
    response = json_response(problem(code), accept)
    headers = {**response.headers, "Cache-Control": "no-store", "Connection": "close"}
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Response(response.status_code, fields, response.content)
