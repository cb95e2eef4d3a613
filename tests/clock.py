"""Clocks for tests: a wrong clock of the application, and a set clock of the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.utils import timezone


@contextmanager
def application_clock(skew: timedelta) -> Iterator[None]:
    """Shifts the clock of this process by `skew` within the block; the database's clock stays right."""
    now, seconds = timezone.now, time.time
    with (
        patch.object(timezone, "now", lambda: now() + skew),
        patch.object(time, "time", lambda: seconds() + skew.total_seconds()),
    ):
        yield


@contextmanager
def database_clock(now: Callable[[], datetime]) -> Iterator[None]:
    """Sets the database's clock for every statement on this thread's connection within the block.

    A compiled statement must not contain the time: it is executed again later.
    """
    connection.ensure_connection()
    set_clock = _sqlite_clock if connection.vendor == "sqlite" else _mysql_clock
    with set_clock(connection.connection, now):
        yield


@contextmanager
def _sqlite_clock(session: Any, now: Callable[[], datetime]) -> Iterator[None]:
    """Replaces the function that DatabaseNow calls. SQLite cannot restore its own."""
    session.create_function("strftime", 2, _strftime(now))
    try:
        yield
    finally:
        session.create_function("strftime", 2, _strftime(lambda: datetime.now(UTC)))


def _strftime(now: Callable[[], datetime]) -> Callable[[str, str], str]:
    def strftime(_template: str, _moment: str) -> str:
        time = now().astimezone(UTC)
        return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03}000"

    return strftime


@contextmanager
def _mysql_clock(session: Any, now: Callable[[], datetime]) -> Iterator[None]:
    """Sets the session's time before every statement."""
    query = session.query

    def set_and_query(statement: bytes) -> None:
        query(f"SET timestamp = {now().timestamp():.6f}".encode())
        query(statement)

    session.query = set_and_query
    try:
        yield
    finally:
        session.query = query
        query(b"SET timestamp = DEFAULT")
