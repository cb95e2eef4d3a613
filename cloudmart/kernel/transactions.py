"""The transaction that really commits, and is run again, whole, when the database asks for that."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.kernel.metrics import count_retry

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

TRIES = 6
LONGEST_PAUSE = 0.5
"""Seconds; the first pause is at most 1/32 of it."""

PASSING_MYSQL_ERRORS = {
    1213: "deadlock: the server has rolled the whole transaction back",
    1205: "lock wait timeout: only the statement was rolled back, so we roll back the rest",
    1020: "record changed since last read (MariaDB under snapshot isolation)",
}

LOST_CONNECTIONS = {
    1040: "too many connections",
    1053: "the server is shutting down",
    1927: "the connection was killed",
    2002: "no server (socket)",
    2003: "no server",
    2006: "the server has gone away",
    2013: "lost the connection",
    2055: "lost the connection, extended",
    4031: "the server closed an idle connection",
}

_first_acts: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("first_acts", default=())


@contextmanager
def beginning_with(act: Callable[[], None]) -> Iterator[None]:
    """The first durable transaction within does `act` before all else: both are committed, or neither.

    One within another: the outer one's act comes first, and neither is done again after that transaction.
    """
    outer = _first_acts.get()
    _first_acts.set((*outer, act))
    try:
        yield
    finally:
        if _first_acts.get():
            _first_acts.set(outer)


def durable(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in an outermost transaction, and again, whole, when it lost a conflict or the server.

    Whatever `function` keeps outside the database must bear a second run. Raises DatabaseBusy when that does not end;
    RuntimeError when a transaction is open already. A connection that is lost at COMMIT is not tried again: nobody
    knows whether it was done.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, TRIES + 1):
            if attempt > 1:
                count_retry(function.__qualname__)
            is_committing = False
            try:
                with transaction.atomic(durable=True):
                    for first_act in _first_acts.get():
                        first_act()
                    result = function(*args, **kwargs)
                    is_committing = True
                _first_acts.set(())
                return result
            except OperationalError as error:
                if connection.in_atomic_block or not (may_pass(error) or (is_lost(error) and not is_committing)):
                    raise
                logger.info("transaction %s, try %s: %s", function.__qualname__, attempt, error)
                if is_lost(error):
                    connection.close()
                time.sleep(random.uniform(0, LONGEST_PAUSE / 2 ** (TRIES - attempt)))
        raise DatabaseBusy(function.__qualname__)

    return run


def joining(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in the transaction that is open; or, where none is, in a durable one of its own."""
    alone = durable(function)

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs) if connection.in_atomic_block else alone(*args, **kwargs)

    return run


def is_lost(error: OperationalError) -> bool:
    """Whether the database was not, or is no longer, to be reached."""
    return bool(error.args) and error.args[0] in LOST_CONNECTIONS


def may_pass(error: OperationalError) -> bool:
    """Whether the same transaction, run again, may succeed."""
    reason = error.args[0] if error.args else None
    return reason in PASSING_MYSQL_ERRORS or "database is locked" in str(reason)
