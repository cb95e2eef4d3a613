"""The database's clock, the only clock that all processes share."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.db.models.sql import Query


class DatabaseNow(Now):
    """The start time of the statement in UTC, whatever the session's time zone is, in Django's format.

    In microseconds; on SQLite in milliseconds. Each statement of a transaction has its own time.
    """

    identity = ("DatabaseNow",)
    """All instances are equal, which Django would find out from the arguments of each."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite compares times as text: six digits after the point, or no point at a whole second."""
        template = "REPLACE(STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW'), '.000000', '')"
        return self.as_sql(compiler, connection, template=template, **context)


NOW = DatabaseNow()

READ_AT: dict[str, Any] = {"read_at": NOW}
"""The annotation that gives rows the time at which they were read."""


@lru_cache
def from_now(duration: timedelta) -> CombinedExpression:
    """Returns the time that lies so far ahead by the database's clock: the same expression for the same duration."""
    return NOW + duration


def database_now() -> datetime:
    """Reads the clock in a separate statement. Use DatabaseNow where another statement can contain it."""
    query = Query(None)
    query.add_annotation(DatabaseNow(), "now")
    ((now,),) = query.get_compiler(DEFAULT_DB_ALIAS).results_iter()
    return now
