"""What time it is by the one clock that all processes share: the database's."""

from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models.functions import Now
from django.db.models.sql import Query


class DatabaseNow(Now):
    """When the statement has begun, in UTC whatever the session's time zone is, and written as Django writes a time.

    With microseconds; on SQLite with milliseconds. Two statements of one transaction differ.
    """

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Times are compared as text there: six digits after the point, or at a whole second none at all."""
        template = "REPLACE(STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW'), '.000000', '')"
        return self.as_sql(compiler, connection, template=template, **context)


READ_AT: dict[str, Any] = {"read_at": DatabaseNow()}
"""The annotation of rows that bring with them when they were read."""


def database_now() -> datetime:
    """Reads the clock in a statement of its own: only where no other statement can carry DatabaseNow."""
    query = Query(None)
    query.add_annotation(DatabaseNow(), "now")
    ((now,),) = query.get_compiler(DEFAULT_DB_ALIAS).results_iter()
    return now
