"""Django's backend for MySQL and MariaDB, with BEGIN instead of switching autocommit off and on again.

That saves two round trips in each transaction.
"""

from typing import Any

from django.db.backends.mysql import base
from django.db.backends.utils import debug_transaction


class DatabaseWrapper(base.DatabaseWrapper):
    def _start_transaction_under_autocommit(self) -> None:
        """Django calls this at the beginning of an outermost transaction, if there is such a method."""
        with debug_transaction(self, "BEGIN"), self.wrap_database_errors:
            self.connection.query("BEGIN")

    def _set_autocommit(self, autocommit: bool) -> None:
        """Sends nothing if the session has this mode already: the driver knows it from the server's last response."""
        if self.connection.get_autocommit() != autocommit:
            backend: Any = super()
            backend._set_autocommit(autocommit)
