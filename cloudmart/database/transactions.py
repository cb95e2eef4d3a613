"""The transaction that really commits, and is run again, whole, when the database asks for that."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error, connection, transaction

from cloudmart.database.errors import remedy_for
from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.kernel.metrics import count_retry

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

TRIES = 6
LONGEST_PAUSE = 0.5
"""Seconds; the first pause is at most 1/32 of it."""

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
    """Run `function` in an outermost transaction, and again, whole, where `remedy_for` knows that this may help.

    Whatever `function` keeps outside the database must bear a second run. No attempt begins after TRANSACTION_BUDGET
    seconds. Raises DatabaseBusy when conflicts do not end, and the error itself when no server is reached that writes;
    RuntimeError when a transaction is open already. A connection that is lost at COMMIT is not tried again: nobody
    knows whether it was done.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        deadline = time.monotonic() + settings.TRANSACTION_BUDGET
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
            except Error as error:
                remedy = remedy_for(error)
                if connection.in_atomic_block or not remedy or (is_committing and not remedy.is_certain_at_commit):
                    raise
                logger.info("transaction %s, try %s: %s", function.__qualname__, attempt, error)
                is_last = attempt == TRIES or time.monotonic() > deadline
                if remedy.needs_new_connection:
                    connection.close()
                    if is_last:
                        raise
                if is_last:
                    break
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
