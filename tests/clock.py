"""Time for tests: an application's clock is wrong, the database's tells what the test says."""

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
    """Within, the clock of this process is wrong by so much; the database's is right."""
    now, seconds = timezone.now, time.time
    with (
        patch.object(timezone, "now", lambda: now() + skew),
        patch.object(time, "time", lambda: seconds() + skew.total_seconds()),
    ):
        yield


@contextmanager
def database_clock(tell: Callable[[], datetime]) -> Iterator[None]:
    """Within, every statement of this process has the database's clock tell this time."""

    def literal(self: DatabaseNow, compiler: Any, connection: Any, **context: Any) -> Any:
        told = tell().astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        template = f"'{told}'" if connection.vendor == "sqlite" else f"TIMESTAMP'{told}'"
        return self.as_sql(compiler, connection, template=template, **context)

    with patch.object(DatabaseNow, "as_mysql", literal), patch.object(DatabaseNow, "as_sqlite", literal):
        yield
