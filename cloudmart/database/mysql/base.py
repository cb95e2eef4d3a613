"""Django's backend for MySQL and MariaDB, with fewer round trips.

A transaction begins with BEGIN, where Django switches autocommit off and on again. BEGIN, and statements whose result
nobody needs, wait for the next statement or COMMIT, and are sent in one packet with it.
"""

from typing import Any
from uuid import UUID

import MySQLdb  # type: ignore[import-untyped]
from django.db import IntegrityError
from django.db.backends.mysql import base
from django.db.backends.utils import debug_transaction

from cloudmart.database.results import Result


class CursorWrapper(base.CursorWrapper):
    """Django's cursor. Sends the waiting statements before its own."""

    def __init__(self, cursor: Any, wrapper: "DatabaseWrapper") -> None:
        super().__init__(cursor)
        self._wrapper = wrapper

    def execute(self, query: Any, args: Any = None) -> Any:
        self._wrapper.send_waiting()
        return super().execute(query, args)

    def executemany(self, query: Any, args: Any) -> Any:
        self._wrapper.send_waiting()
        return super().executemany(query, args)


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: list[bytes] = []

    def execute_directly(self, sql: str, params: list[Any], *, defers: bool) -> Result | None:
        """Executes a statement without a cursor. Returns None if it waits, because it `defers` in a transaction.

        The error of a waiting statement is raised by the next one. Query log and execute wrappers do not see it: the
        caller uses a cursor if there are any.
        """
        if not self.in_atomic_block:
            self.close_if_health_check_failed()
            self.ensure_connection()
        self.validate_no_broken_transaction()
        with self.wrap_database_errors:
            self._waiting.append(sql.encode() % tuple(self._literals(params)))
            return None if defers and self.in_atomic_block else self._send()

    def _literals(self, params: list[Any]) -> list[bytes]:
        """Returns the values as the driver writes them in SQL. Most are of four types that need no look-up."""
        text, other = self.connection.string_literal, self.connection.literal
        return [
            text(value.encode())
            if value.__class__ is str
            else b"NULL"
            if value is None
            else b"%d" % value
            if value.__class__ is int
            else b"'%s'" % str(value).encode()
            if value.__class__ is UUID
            else other(value)
            for value in params
        ]

    def send_waiting(self) -> None:
        if self._waiting:
            self._send()

    def _send(self) -> Result:
        """Sends the waiting statements in one packet. Returns the result of the last one."""
        statements, self._waiting = self._waiting, []
        connection, succeeded = self.connection, 0
        try:
            connection.query(b";".join(statements))
            while (succeeded := succeeded + 1) < len(statements):
                connection.next_result()
            rows = connection.store_result()
        except MySQLdb.Error as error:
            raise _as_django_expects(error, is_of_earlier_statement=succeeded < len(statements) - 1) from None
        return Result(connection.affected_rows(), rows.fetch_row(0) if rows else (), connection.insert_id())

    def get_new_connection(self, conn_params: Any) -> Any:
        self._waiting = []
        return super().get_new_connection(conn_params)

    def create_cursor(self, name: Any = None) -> CursorWrapper:
        return CursorWrapper(self.connection.cursor(), self)

    def _start_transaction_under_autocommit(self) -> None:
        """Django calls this at the beginning of an outermost transaction, if there is such a method."""
        with debug_transaction(self, "BEGIN"):
            self._waiting = [b"BEGIN"]

    def _set_autocommit(self, autocommit: bool) -> None:
        """Sends nothing if the session has this mode already: the driver knows it from the server's last response."""
        if self.connection.get_autocommit() != autocommit:
            backend: Any = super()
            backend._set_autocommit(autocommit)

    def _commit(self) -> None:
        """Sends nothing if the transaction has no statement."""
        if self._waiting == [b"BEGIN"]:
            self._waiting = []
        elif self.connection is not None:
            with debug_transaction(self, "COMMIT"), self.wrap_database_errors:
                self._waiting.append(b"COMMIT")
                self._send()

    def _rollback(self) -> None:
        """Sends nothing if the transaction has sent nothing."""
        has_begun, self._waiting = self._waiting[:1] != [b"BEGIN"], []
        if has_begun:
            backend: Any = super()
            backend._rollback()


def _as_django_expects(error: Any, *, is_of_earlier_statement: bool) -> Any:
    """Returns the error in the class that Django's cursor raises it in."""
    is_integrity = error.args and error.args[0] in CursorWrapper.codes_for_integrityerror
    raised: Any = IntegrityError(*error.args) if is_integrity else error
    raised.is_of_earlier_statement = is_of_earlier_statement
    return raised
