"""Clocks for tests: a wrong clock of the application, and a set clock of the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.utils import timezone

from cloudmart.database.clock import DatabaseNow


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
    """Sets the database's clock for every statement of this process within the block."""

    def literal(self: DatabaseNow, compiler: Any, connection: Any, **context: Any) -> Any:
        text = now().astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        template = f"'{text}'" if connection.vendor == "sqlite" else f"TIMESTAMP'{text}'"
        return self.as_sql(compiler, connection, template=template, **context)

    with patch.object(DatabaseNow, "as_mysql", literal), patch.object(DatabaseNow, "as_sqlite", literal):
        yield
