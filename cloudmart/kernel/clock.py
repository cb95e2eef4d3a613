"""What time it is by the one clock that all processes share: the database's."""

from typing import Any

from django.db.models.functions import Now


class DatabaseNow(Now):
    """Now, in UTC whatever the session's time zone is: with microseconds, on SQLite with milliseconds."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)
