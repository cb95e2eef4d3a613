"""Outermost transactions, which are repeated after deadlocks, lock waits and lost connections."""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error, connection, transaction

from cloudmart.database.errors import Remedy, remedy_for
from cloudmart.kernel import tracing
from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.kernel.metrics import count_retry

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

ATTEMPTS = 6
MAX_BACKOFF = 0.5
"""Seconds. The first backoff is at most 1/32 of it."""
FAILOVER = 3
"""Seconds of an outage in which transactions wait for a server that writes, whatever the number of attempts."""


class Outage:
    """Since when this process has found no server that writes. The next transaction that succeeds ends it."""

    def __init__(self) -> None:
        self._began: float | None = None

    def has_just_begun(self) -> bool:
        """Begins the outage, unless it has begun. Returns True in its first FAILOVER seconds."""
        now, began = time.monotonic(), self._began
        if began is None:
            self._began = began = now
        return now - began < FAILOVER

    def end(self) -> None:
        self._began = None


OUTAGE = Outage()


def drop_connection_after(error: Exception) -> None:
    """Closes the connection of this thread if a new one may reach a server that works. In a transaction it stays."""
    remedy = remedy_for(error) if isinstance(error, Error) else None
    if remedy and remedy.needs_new_connection and not connection.in_atomic_block:
        connection.close()


def durable(function: Callable[P, R]) -> Callable[P, R]:
    """Runs `function` in an outermost transaction, and runs it again, whole, after errors that `remedy_for` knows.

    So `function` must be safe to run twice. It is run ATTEMPTS times, and more often while an outage has just begun: a
    failover delays transactions, and a long outage occupies no thread. No attempt begins after TRANSACTION_BUDGET
    seconds. Raises DatabaseBusy if conflicts do not end, the error itself if no server is found that writes, and
    RuntimeError if a transaction is open already. A transaction whose connection is lost at COMMIT is not repeated: it
    may have been committed.
    """
    span_name = f"transaction {function.__qualname__}"

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        deadline = time.monotonic() + settings.TRANSACTION_BUDGET
        for attempt in count(1):
            if attempt > 1:
                count_retry(function.__qualname__)
            is_committing = False
            try:
                with tracing.span(span_name), transaction.atomic(durable=True):
                    result = function(*args, **kwargs)
                    is_committing = True
                OUTAGE.end()
                return result
            except Error as error:
                remedy = remedy_for(error)
                if connection.in_atomic_block or not remedy or (is_committing and not remedy.is_certain_at_commit):
                    raise
                logger.info("transaction %s, attempt %s: %s", function.__qualname__, attempt, error)
                is_last = time.monotonic() > deadline or not may_repeat(attempt, remedy)
                if remedy.needs_new_connection:
                    connection.close()
                    if is_last:
                        raise
                if is_last:
                    break
                time.sleep(random.uniform(0, MAX_BACKOFF / 2 ** max(0, ATTEMPTS - attempt)))
        raise DatabaseBusy(function.__qualname__)

    return run


def may_repeat(attempt: int, remedy: Remedy) -> bool:
    """Returns True if another attempt may follow this one."""
    is_failover = remedy.needs_new_connection and OUTAGE.has_just_begun()
    return attempt < ATTEMPTS or is_failover


def joining(function: Callable[P, R]) -> Callable[P, R]:
    """Runs `function` in the open transaction, or in a durable one of its own if none is open."""
    alone = durable(function)

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs) if connection.in_atomic_block else alone(*args, **kwargs)

    return run
