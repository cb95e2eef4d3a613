"""When work in progress stops early: at a process's shutdown, or when a request has run for long enough."""

from collections.abc import Callable

ShouldStop = Callable[[], bool]
"""Returns True once the work should stop: finish the current transaction, and begin nothing more."""


def never() -> bool:
    return False


def always() -> bool:
    return True
