"""Django's backend for MySQL and MariaDB, with fewer round trips.

A transaction begins with BEGIN, where Django switches autocommit off and on again. BEGIN, and the statements of a
deferring cursor, wait for the next statement or COMMIT, and are sent in one packet with it.
"""

from typing import Any

import MySQLdb  # type: ignore[import-untyped]
from django.db import IntegrityError
from django.db.backends.mysql import base
from django.db.backends.utils import debug_transaction


class CursorWrapper(base.CursorWrapper):
    """A cursor that sends the waiting statements before its own, or `defers` its own."""

    def __init__(self, cursor: Any, wrapper: "DatabaseWrapper") -> None:
        super().__init__(cursor)
        self._wrapper = wrapper
        self.defers = False

    def execute(self, query: str, args: Any = None) -> Any:
        self._executed = self._literal(query, args)
        if self.defers:
            self._wrapper.waiting.append(self._executed)
            return None
        return self.send([*self._wrapper.take_waiting(), self._executed])

    def executemany(self, query: str, args: Any) -> Any:
        if waiting := self._wrapper.take_waiting():
            self.send(waiting)
        return super().executemany(query, args)

    def send(self, statements: list[bytes]) -> Any:
        """Sends the statements in one packet. Returns the number of rows of the last one, whose result it has then."""
        succeeded = 0
        try:
            self.cursor.execute(b";".join(statements))
            while (succeeded := succeeded + 1) < len(statements):
                self.cursor.nextset()
        except MySQLdb.Error as error:
            raised: Any = IntegrityError(*error.args) if error.args[0] in self.codes_for_integrityerror else error
            raised.is_of_earlier_statement = succeeded < len(statements) - 1
            raise raised from None
        return self.cursor.rowcount

    def _literal(self, query: str, args: Any) -> bytes:
        """Returns the statement with its values. Django's query log reads it from `_executed`."""
        connection = self._wrapper.connection
        statement = query.encode(connection.encoding)
        return statement if args is None else statement % tuple(map(connection.literal, args))


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: list[bytes] = []

    def deferring_cursor(self) -> Any:
        """Returns a cursor whose statement may wait, if a transaction is open.

        If the statement fails, the next statement or COMMIT raises its error.
        """
        cursor = self.cursor()
        cursor.cursor.defers = self.in_atomic_block
        return cursor

    def take_waiting(self) -> list[bytes]:
        """Returns the waiting statements, which the caller sends."""
        statements, self.waiting = self.waiting, []
        return statements

    def get_new_connection(self, conn_params: Any) -> Any:
        self.waiting = []
        return super().get_new_connection(conn_params)

    def create_cursor(self, name: Any = None) -> CursorWrapper:
        return CursorWrapper(self.connection.cursor(), self)

    def _start_transaction_under_autocommit(self) -> None:
        """Django calls this at the beginning of an outermost transaction, if there is such a method."""
        with debug_transaction(self, "BEGIN"):
            self.waiting.append(b"BEGIN")

    def _set_autocommit(self, autocommit: bool) -> None:
        """Sends nothing if the session has this mode already: the driver knows it from the server's last response."""
        if self.connection.get_autocommit() != autocommit:
            backend: Any = super()
            backend._set_autocommit(autocommit)

    def _commit(self) -> None:
        """Sends nothing if the transaction has no statement."""
        statements = self.take_waiting()
        if self.connection is not None:
            with debug_transaction(self, "COMMIT"), self.wrap_database_errors:
                if statements != [b"BEGIN"]:
                    CursorWrapper(self.connection.cursor(), self).send([*statements, b"COMMIT"])

    def _rollback(self) -> None:
        """Sends nothing if the transaction has sent nothing."""
        if self.take_waiting()[:1] != [b"BEGIN"]:
            backend: Any = super()
            backend._rollback()
