"""Counts the requests of a client over a sliding window, in Django's cache."""

import time
from contextlib import suppress
from typing import Any, NamedTuple

ATTEMPTS = 3
"""Attempts at an increment, each of which fails if the cache drops the number meanwhile."""


class CacheUnavailable(Exception):
    """The cache cannot count a request."""


class Window(NamedTuple):
    """The requests of a client that were allowed in the present period and in the one before.

    The previous period counts by its share in the last `duration` seconds. A rejected request is not counted.
    """

    previous: int
    present: int
    elapsed: float
    """Seconds since the present period began."""
    is_allowed: bool

    def wait(self, limit: int, duration: int) -> float:
        """Returns the seconds until a rate of `limit` allows the next request, if there is none before."""
        others = limit - 1
        if self.present <= others:
            return _time_until(others - self.present, self.previous, duration) - self.elapsed
        return duration - self.elapsed + _time_until(others, self.present, duration)


def _time_until(remaining: int, requests: int, duration: int) -> float:
    """Returns the seconds into a period until `remaining` of the requests of the period before count."""
    return duration * (1 - remaining / max(requests, 1))


def count_request(cache: Any, key: str, limit: int, duration: int, now: float | None = None) -> Window:
    """Counts a request at the time `now` (default: by the clock of the cache), if the limit allows it.

    Concurrent requests never exceed the limit, nor fall short of it. Raises CacheUnavailable.
    """
    if hasattr(cache, "count_request"):
        window: Window = cache.count_request(key, limit, duration, now)
        return window
    period, elapsed = divmod(time.time() if now is None else now, duration)
    previous = cache.get(f"{key}_{period - 1:.0f}", 0)
    present = _increment(cache, f"{key}_{period:.0f}", 2 * duration)
    if previous * (1 - elapsed / duration) + present <= limit:
        return Window(previous, present, elapsed, is_allowed=True)
    return Window(previous, _decrement(cache, f"{key}_{period:.0f}", present), elapsed, is_allowed=False)


def _increment(cache: Any, key: str, timeout: int) -> int:
    """Increments the number, or stores 1. A full cache may drop it between two operations. Raises CacheUnavailable."""
    for _ in range(ATTEMPTS):
        if cache.add(key, 1, timeout):
            return 1
        with suppress(ValueError):
            return int(cache.incr(key))
    raise CacheUnavailable


def _decrement(cache: Any, key: str, present: int) -> int:
    with suppress(ValueError):
        return int(cache.decr(key))
    return present - 1
