"""The instants at which a process may die, and processes that do: instrumented from outside, in a fork of the tests.

A boundary is the moment before, and the moment after, each COMMIT and each request to a provider. A statement that
writes with no transaction open is a COMMIT of its own.
"""

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self
from unittest.mock import patch

from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from cloudmart.providers.http_provider import HttpProvider
from payments.gateways.port import gateway
from shipping.carriers.port import carrier

COMMIT = "COMMIT"
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a process: the signal that it sends itself at its so-manieth boundary."""

    at: int
    blow: signal.Signals = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Run:
    """What a process went through: its boundaries, the last one included, and whether it came to its end."""

    passed: tuple[str, ...]
    survived: bool

    @property
    def commits(self) -> int:
        return self.passed.count(f"after {COMMIT}")


class Process:
    """A fork of the tests that does one thing. It shares no connection with them, to a database or a provider."""

    def __init__(self, act: Callable[[], Any], fate: Fate | None = None) -> None:
        connections.close_all()
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _live(act, fate, writer)
        os.close(writer)
        self._told = os.fdopen(reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """It does not outlive the tests, whatever has become of them."""
        if not self._told.closed:
            os.kill(self.pid, signal.SIGKILL)
            self.end()

    def wait_until_stopped(self) -> bool:
        """Whether it has stopped itself; else it is over."""
        status = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return status is not None and status.si_code == os.CLD_STOPPED

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> Run:
        """Wait for it. Raises AssertionError when it failed rather than died."""
        with self._told:
            *passed, verdict = self._told.read().split("\0")
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return Run(tuple(passed), survived=False)
        assert os.WEXITSTATUS(status) == 0, verdict
        return Run(tuple(passed), survived=True)


def run(act: Callable[[], Any], fate: Fate | None = None) -> Run:
    with Process(act, fate) as process:
        return process.end()


def _live(act: Callable[[], Any], fate: Fate | None, writer: int) -> None:
    """Never returns: nothing of the tests goes on in the fork."""
    status = 1
    try:
        gateway.cache_clear()
        carrier.cache_clear()
        with _instrumented(fate, writer):
            act()
        status = 0
    except BaseException:
        os.write(writer, traceback.format_exc().encode())
    finally:
        os._exit(status)


@contextmanager
def _instrumented(fate: Fate | None, writer: int) -> Iterator[None]:
    count = 0

    def reach(boundary: str) -> None:
        nonlocal count
        count += 1
        os.write(writer, f"{boundary}\0".encode())
        if fate and count == fate.at:
            os.kill(os.getpid(), fate.blow)

    @contextmanager
    def around(what: str) -> Iterator[None]:
        reach(f"before {what}")
        try:
            yield
        finally:
            reach(f"after {what}")

    commit, send = BaseDatabaseWrapper._commit, HttpProvider._send

    def _commit(self: BaseDatabaseWrapper) -> None:
        with around(COMMIT):
            commit(self)

    def _send(self: HttpProvider, method: str, path: str, **content: Any) -> Any:
        with around(f"{method} {path.partition('/')[0]}"):
            return send(self, method, path, **content)

    def _execute(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if connection.in_atomic_block or not sql.lstrip().upper().startswith(WRITES):
            return execute(sql, params, many, context)
        with around(COMMIT):
            return execute(sql, params, many, context)

    with ExitStack() as stack:
        stack.enter_context(patch.object(BaseDatabaseWrapper, "_commit", _commit))
        stack.enter_context(patch.object(HttpProvider, "_send", _send))
        stack.enter_context(connection.execute_wrapper(_execute))
        yield
