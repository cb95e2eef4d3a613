"""Processes that are killed at a boundary. They are forks of the tests, instrumented from outside.

A boundary is the moment before, or the moment after, a COMMIT, a request to a provider, the sending of a mail or a
webhook, or the adding of a batch of events to the streams. A statement that writes with no transaction open counts as
a COMMIT.
"""

import os
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from threading import get_ident
from typing import Any, Self
from unittest.mock import patch

from django.core.mail.backends.smtp import EmailBackend
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper

from cloudmart.providers.http_provider import HttpProvider
from cloudmart.webhooks.sending import Client
from payments.gateways.port import gateway
from sagas.streams import server as streams
from shipping.carriers.port import carrier

COMMIT, MAIL, WEBHOOK, STREAM = "COMMIT", "MAIL", "WEBHOOK", "STREAM"
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@dataclass(frozen=True, slots=True)
class Interruption:
    """A signal that a process sends itself at the boundary of this number, counted from 1."""

    at: int
    signum: signal.Signals = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Run:
    """The boundaries that a process has reached, and whether it survived."""

    passed: tuple[str, ...]
    survived: bool

    @property
    def commits(self) -> int:
        return self.passed.count(f"after {COMMIT}")

    @property
    def unstored(self) -> Counter[str]:
        """Returns the operations that the process has finished without storing that: another one repeats them."""
        since = takewhile(lambda boundary: boundary != f"after {COMMIT}", reversed(self.passed))
        return Counter(boundary.removeprefix("after ") for boundary in since if boundary.startswith("after "))


class Process:
    """A fork of the tests that runs one function. It shares no connection to a database or a provider with them."""

    def __init__(self, act: Callable[[], Any], interruption: Interruption | None = None) -> None:
        connections.close_all()
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _run(act, interruption, writer)
        os.close(writer)
        self._pipe = os.fdopen(reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kills the process if it still runs."""
        if not self._pipe.closed:
            os.kill(self.pid, signal.SIGKILL)
            self.end()

    def wait_until_stopped(self) -> bool:
        """Returns True if the process has stopped itself, False if it has ended."""
        status = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return status is not None and status.si_code == os.CLD_STOPPED

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> Run:
        """Waits for the end of the process. Raises AssertionError if it failed and was not killed."""
        with self._pipe:
            *passed, failure = self._pipe.read().split("\0")
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return Run(tuple(passed), survived=False)
        assert os.WEXITSTATUS(status) == 0, failure
        return Run(tuple(passed), survived=True)


def run(act: Callable[[], Any], interruption: Interruption | None = None) -> Run:
    with Process(act, interruption) as process:
        return process.end()


def _run(act: Callable[[], Any], interruption: Interruption | None, writer: int) -> None:
    """Runs the function, and exits without returning to the tests."""
    status = 1
    try:
        gateway.cache_clear()
        carrier.cache_clear()
        with _instrumented(interruption, writer):
            act()
        status = 0
    except BaseException:
        os.write(writer, traceback.format_exc().encode())
    finally:
        os._exit(status)


@contextmanager
def _instrumented(interruption: Interruption | None, writer: int) -> Iterator[None]:
    count = 0

    def reach(boundary: str) -> None:
        nonlocal count
        count += 1
        os.write(writer, f"{boundary}\0".encode())
        if interruption and count == interruption.at:
            signal.pthread_kill(get_ident(), interruption.signum)  # no other thread could delay it

    @contextmanager
    def around(operation: str) -> Iterator[None]:
        reach(f"before {operation}")
        try:
            yield
        finally:
            reach(f"after {operation}")

    def counting(execute: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a function that executes a statement. An execute wrapper would change how it is executed."""

        def _execute(self: Any, sql: str, *params: Any, **more: Any) -> Any:
            if connection.in_atomic_block or not sql.lstrip().upper().startswith(WRITES):
                return execute(self, sql, *params, **more)
            with around(COMMIT):
                return execute(self, sql, *params, **more)

        return _execute

    database: Any = type(connections[DEFAULT_DB_ALIAS])
    commit, send, send_messages = database._commit, HttpProvider._send, EmailBackend.send_messages
    send_webhook, add = Client.send, streams.add

    def _commit(self: Any) -> None:
        with around(COMMIT):
            commit(self)

    def _send(self: HttpProvider, method: str, path: str, **content: Any) -> Any:
        with around(f"{method} {path.partition('/')[0]}"):
            return send(self, method, path, **content)

    def _send_messages(self: EmailBackend, messages: Any) -> Any:
        with around(MAIL):
            return send_messages(self, messages)

    def _send_webhook(self: Client, *arguments: Any) -> Any:
        with around(WEBHOOK):
            return send_webhook(self, *arguments)

    def _add(*arguments: Any) -> Any:
        with around(STREAM):
            return add(*arguments)

    with ExitStack() as stack:
        stack.enter_context(patch.object(Client, "send", _send_webhook))
        stack.enter_context(patch.object(streams, "add", _add))
        stack.enter_context(patch.object(EmailBackend, "send_messages", _send_messages))
        stack.enter_context(patch.object(database, "_commit", _commit))
        stack.enter_context(patch.object(HttpProvider, "_send", _send))
        stack.enter_context(patch.object(CursorWrapper, "execute", counting(CursorWrapper.execute)))
        if directly := getattr(database, "execute_directly", None):
            stack.enter_context(patch.object(database, "execute_directly", counting(directly)))
        yield
