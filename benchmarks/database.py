"""The measured database: a connection, its counters, and a check that every copy is accounted for."""

import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import MySQLdb

COUNTERS = ("Questions", "Com_commit")

BOOKS_THAT_DO_NOT_ADD_UP = """
    SELECT COUNT(*) FROM inventory
    LEFT JOIN (
        SELECT book_id, SUM(on_hand_delta) AS copies FROM stock_events WHERE type = 'StockAdded' GROUP BY book_id
    ) received USING (book_id)
    LEFT JOIN (
        SELECT book_id, SUM(quantity) AS copies FROM order_items JOIN orders ON orders.id = order_id
        WHERE orders.status = 'completed' GROUP BY book_id
    ) sold USING (book_id)
    WHERE on_hand + COALESCE(sold.copies, 0) <> COALESCE(received.copies, 0)
"""


def connect(url: str) -> Any:
    """Connects to a DATABASE_URL (mysql://USER:PASSWORD@HOST:PORT/NAME) at READ COMMITTED."""
    parts = urlsplit(url)
    if parts.scheme != "mysql":
        raise SystemExit("The benchmarks need a DATABASE_URL that begins with mysql://; bin/bench provides one.")
    return MySQLdb.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
        charset="utf8mb4",
        init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of the server, without the statements of the `Watch` itself."""

    orders: int
    statements: int
    commits: int

    def __sub__(self, earlier: Self) -> "Counts":
        return Counts(
            self.orders - earlier.orders, self.statements - earlier.statements, self.commits - earlier.commits
        )

    def per_order(self, counter: int) -> float:
        return counter / max(1, self.orders)


class Watch:
    """A connection that only reads."""

    def __init__(self, url: str) -> None:
        self._connection = connect(url)
        self._connection.autocommit(True)

    def refuse_filled_database(self) -> None:
        """Raises SystemExit unless the database is empty: a measurement leaves many orders behind."""
        if self._number("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"):
            raise SystemExit("This database has tables already. Give the benchmarks an empty one; bin/bench does.")

    def version(self) -> str:
        """Returns the name and version of the server, such as `MariaDB 10.11.6`."""
        (version,) = self._row("SELECT VERSION()")
        return f"{'MariaDB' if 'MariaDB' in version else 'MySQL'} {version.partition('-')[0]}"

    def counts_when_finished(self, timeout: float = 30) -> Counts:
        """Waits until every order is finished. Returns the counters. Raises SystemExit after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        before = -1
        while (orders := self._number("SELECT COUNT(*) FROM orders")) != before or self.unfinished():
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.unfinished()} orders did not finish within {timeout:g} seconds.")
            before = orders
            time.sleep(0.2)
        statements, commits = (self._counter("GLOBAL", name) - self._counter("SESSION", name) for name in COUNTERS)
        return Counts(orders, statements, commits)

    def unfinished(self) -> int:
        """Returns the number of orders whose saga is not finished."""
        return self._number("SELECT COUNT(*) FROM saga_instances WHERE status NOT IN ('COMPLETED', 'FAILED')")

    def undelivered(self) -> int:
        """Returns the number of events, and of webhooks, that some consumer or endpoint does not have."""
        webhooks = self._number("SELECT COUNT(*) FROM webhook_deliveries WHERE status = 'pending'")
        return webhooks + self._number("SELECT COUNT(*) FROM outbox")

    def lock_waits(self) -> tuple[int, int]:
        """Returns how often transactions have waited for a row lock, and the milliseconds that they waited in all."""
        return self._counter("GLOBAL", "Innodb_row_lock_waits"), self._counter("GLOBAL", "Innodb_row_lock_time")

    def allow_connections(self, number: int) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SET GLOBAL max_connections = {number:d}")

    def problems(self) -> list[str]:
        """Returns the errors in the stock after all orders are finished; empty if every copy is accounted for."""
        checks = {
            "books where sold + on hand is not what was received": self._number(BOOKS_THAT_DO_NOT_ADD_UP),
            "copies still reserved": self._number("SELECT SUM(reserved) FROM inventory"),
            "orders not completed": self._number("SELECT COUNT(*) FROM orders WHERE status <> 'completed'"),
        }
        return [f"{number} {what}" for what, number in checks.items() if number]

    def _counter(self, scope: str, name: str) -> int:
        return int(self._row(f"SHOW {scope} STATUS LIKE '{name}'")[1])

    def _number(self, sql: str) -> int:
        return int(self._row(sql)[0])

    def _row(self, sql: str) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()
