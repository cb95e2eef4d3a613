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

_first_act: ContextVar[Callable[[], None] | None] = ContextVar("first_act", default=None)


@contextmanager
def beginning_with(act: Callable[[], None]) -> Iterator[None]:
    """The first durable transaction within does `act` before all else: both are committed, or neither."""
    token = _first_act.set(act)
    try:
        yield
    finally:
        _first_act.reset(token)


def durable(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in an outermost transaction, and again from its first read when it lost a conflict.

    Whatever `function` keeps outside the database must bear a second run. Raises DatabaseBusy when the conflicts
    do not end; RuntimeError when a transaction is open already.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, TRIES + 1):
            if attempt > 1:
                count_retry(function.__qualname__)
            try:
                with transaction.atomic(durable=True):
                    if (first_act := _first_act.get()) is not None:
                        first_act()
                    result = function(*args, **kwargs)
                _first_act.set(None)
                return result
            except OperationalError as error:
                if not may_pass(error) or connection.in_atomic_block:
                    raise
                logger.info("transaction %s, try %s: %s", function.__qualname__, attempt, error)
                time.sleep(random.uniform(0, LONGEST_PAUSE / 2 ** (TRIES - attempt)))
        raise DatabaseBusy(function.__qualname__)

    return run


def may_pass(error: OperationalError) -> bool:
    """Whether the same transaction, run again, may succeed."""
    reason = error.args[0] if error.args else None
    return reason in PASSING_MYSQL_ERRORS or "database is locked" in str(reason)
