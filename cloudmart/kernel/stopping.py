"""When work in progress stops early: at the shutdown of a process, or at a request's deadline."""

from collections.abc import Callable

ShouldStop = Callable[[], bool]
"""Returns True once the work should stop: finish the current transaction, and start no other."""


def never() -> bool:
    return False


def always() -> bool:
    return True
