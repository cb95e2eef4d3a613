"""What a worker has still to pass on, read from the database."""

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.database import connect

OUTBOX = """
    SELECT COALESCE(SUM(for_mail), 0), COALESCE(SUM(for_webhooks), 0), COALESCE(SUM(for_stream), 0) FROM outbox
"""
DELIVERIES = "SELECT COUNT(*) FROM webhook_deliveries WHERE status = %s"
MAILS = "SELECT COUNT(*) FROM mails WHERE status = 'pending'"
LONGEST = 300
"""Seconds that a worker may take to catch up."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Mails and webhooks that are not sent, and rows of the outbox that are not published."""

    mails: int
    webhooks: int
    stream: int

    @property
    def is_empty(self) -> bool:
        return not (self.mails or self.webhooks or self.stream)


class Database:
    """A connection that only reads."""

    def __init__(self, url: str) -> None:
        self._connection = connect(url)
        self._connection.autocommit(True)

    def backlog(self) -> Backlog:
        mails, webhooks, stream = map(int, self._row(OUTBOX))
        return Backlog(mails + self._number(MAILS), webhooks + self._number(DELIVERIES, "pending"), stream)

    def delivered(self) -> int:
        """Returns the number of webhooks that were accepted."""
        return self._number(DELIVERIES, "delivered")

    def not_delivered(self) -> int:
        return self._number("SELECT COUNT(*) FROM webhook_deliveries") - self.delivered()

    def saga_events(self) -> int:
        """Returns the number of events of all sagas."""
        return self._number("SELECT COUNT(*) FROM events")

    def orders(self) -> int:
        return self._number("SELECT COUNT(*) FROM orders")

    def wait_until_empty(self) -> tuple[float, float]:
        """Waits for the worker. Returns the seconds until all webhooks and events were out, and until all mails were.

        Raises SystemExit after LONGEST seconds.
        """
        began, out = time.monotonic(), None
        while not (backlog := self.backlog()).is_empty:
            passed = time.monotonic() - began
            if out is None and not (backlog.webhooks or backlog.stream):
                out = passed
            if passed > LONGEST:
                raise SystemExit(f"After {LONGEST} seconds the worker is still behind: {backlog}.")
            time.sleep(0.1)
        passed = time.monotonic() - began
        return (passed if out is None else out), passed

    def _number(self, sql: str, *values: str) -> int:
        return int(self._row(sql, *values)[0])

    def _row(self, sql: str, *values: str) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchone()
