"""Django's cache in Redis, for the limits that several web servers share. Imported only if CACHE_URL names Redis."""

import logging
from collections.abc import Callable
from functools import cache, partial
from threading import Lock
from typing import Any, NoReturn

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.utils.functional import cached_property
from pybreaker import STATE_CLOSED, STATE_OPEN, CircuitBreaker, CircuitBreakerError, CircuitBreakerListener
from redis.exceptions import RedisError

from cloudmart.api.counting import CacheUnavailable, Window

logger = logging.getLogger(__name__)

TIMEOUT = 0.25
"""Seconds that a request waits for Redis: for the connection, and for the response."""

COUNT = """
local limit, duration, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local period = math.floor(now / duration)
local elapsed = now - period * duration
local stored = redis.call('HMGET', KEYS[1], 'period', 'previous', 'present')
local age = period - (tonumber(stored[1]) or 0)
local previous, present = 0, 0
if age == 0 then
  previous, present = tonumber(stored[2]), tonumber(stored[3])
elseif age == 1 then
  previous = tonumber(stored[3])
end
local is_allowed = previous * (1 - elapsed / duration) + present + 1 <= limit
if is_allowed then
  present = present + 1
  redis.call('HSET', KEYS[1], 'period', period, 'previous', previous, 'present', present)
  redis.call('EXPIRE', KEYS[1], 2 * duration)
end
return {previous, present, tostring(elapsed), is_allowed and 1 or 0}
"""
"""Counts a request in one step, by the clock of Redis, which all web servers share."""


class LogOpening(CircuitBreakerListener):
    """Logs once that Redis has failed, with the last error, and once that it responds again."""

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def failure(self, cb: Any, exc: BaseException) -> None:
        self._error = exc

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        if old_state.name == STATE_CLOSED and new_state.name == STATE_OPEN:
            logger.warning("Redis is unavailable, requests are not limited: %r", self._error)
        elif old_state.name != STATE_CLOSED and new_state.name == STATE_CLOSED:
            logger.info("Redis is available again, requests are limited")


BREAKER = CircuitBreaker(fail_max=3, reset_timeout=5, listeners=[LogOpening()], name="redis")
"""After three failures in a row, one request every five seconds tries Redis; the others do not wait for it."""


TRIAL = Lock()
"""Held by the thread whose request tries whether Redis is back. Others would wait for it within the breaker."""


def guarded(call: Callable[[], Any]) -> Any:
    """Calls Redis unless the breaker is open. Raises CacheUnavailable while another thread tries Redis again."""
    if BREAKER.current_state == STATE_CLOSED:
        return BREAKER.call(outcome_of(call))
    if not TRIAL.acquire(blocking=False):
        raise CacheUnavailable
    try:
        return BREAKER.call(call)
    finally:
        TRIAL.release()


def outcome_of(call: Callable[[], Any]) -> Callable[[], Any]:
    """Calls Redis outside of the breaker, whose lock admits one thread. Returns a function with the same outcome."""
    try:
        result = call()
    except (RedisError, OSError) as error:
        return partial(throw, error)
    return lambda: result


def throw(error: Exception) -> NoReturn:
    raise error


@cache
def client_of(server: str, options: tuple[tuple[str, Any], ...]) -> RedisCacheClient:
    """Returns the client of all threads of this process. Django's own would be one for each thread."""
    return RedisCacheClient([server], **dict(options))


class SharedCache(RedisCache):
    """Django's Redis cache, which fails after TIMEOUT and counts requests in one round trip.

    Of several servers in CACHE_URL the first counts all requests. Options in CACHE_URL take precedence.
    """

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        limits = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT}
        first = server if isinstance(server, str) else server[0]
        self._key = first, tuple({**limits, **params.get("OPTIONS", {})}.items())

    @cached_property
    def _cache(self) -> RedisCacheClient:
        return client_of(*self._key)

    @cached_property
    def _count(self) -> Any:
        return self._cache.get_client(write=True).register_script(COUNT)

    def count_request(self, key: str, limit: int, duration: int, now: float | None) -> Window:
        """Counts a request if the limit allows it. Raises CacheUnavailable."""
        keys, arguments = [self.make_and_validate_key(key)], [limit, duration, "" if now is None else repr(now)]
        try:
            previous, present, elapsed, is_allowed = guarded(partial(self._count, keys, arguments))
        except (RedisError, OSError, CircuitBreakerError) as error:
            raise CacheUnavailable from error
        return Window(previous, present, float(elapsed), bool(is_allowed))

    def disconnect(self) -> None:
        """Closes the connections of this process. The next request connects again."""
        self._cache.get_client(write=True).connection_pool.disconnect()
