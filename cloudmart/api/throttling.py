"""Throttling of requests: signed-in users are counted by user, anonymous ones by address. The rates are settings."""

from ipaddress import IPv6Address, ip_address
from typing import Any

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle

UNKNOWN_ADDRESS = str(IPv6Address(0))
"""The address that all clients without a readable address share."""


class SlidingWindow(SimpleRateThrottle):
    """Counts the requests of the present and the previous period, where DRF's own class stores the time of each.

    The previous period counts by its share in the last `duration` seconds. A rejected request is not counted.
    """

    num_requests: int
    duration: int

    def allow_request(self, request: Request, view: Any) -> bool:
        """Returns True if the rate allows this request, and counts it."""
        if self.rate is None or (key := self.get_cache_key(request, view)) is None:
            return True
        period, self.elapsed = divmod(self.timer(), self.duration)
        present, previous = (f"{key}_{number:.0f}" for number in (period, period - 1))
        self.previous = self.cache.get(previous, 0)
        self.cache.add(present, 0, 2 * self.duration)
        self.present = self.cache.incr(present)
        if self.previous * (1 - self.elapsed / self.duration) + self.present <= self.num_requests:
            return True
        self.present = self.cache.decr(present)
        return False

    def wait(self) -> float:
        """Returns the seconds until the rate allows the next request, if there is none before."""
        others = self.num_requests - 1
        if self.present <= others:
            return self._time_until(others - self.present, self.previous) - self.elapsed
        return self.duration - self.elapsed + self._time_until(others, self.present)

    def _time_until(self, remaining: int, requests: int) -> float:
        """Returns the seconds into a period until `remaining` of the requests of the period before count."""
        return self.duration * (1 - remaining / max(requests, 1))


class UserThrottle(SlidingWindow, UserRateThrottle):
    """Limits the requests of a signed-in user."""


class AnonymousThrottle(SlidingWindow, AnonRateThrottle):
    """Limits the requests without credentials from one address."""

    def get_ident(self, request: Any) -> str:
        return normalized_address(super().get_ident(request) or "")


def address_of(request: Any) -> str:
    """Returns the address that a request comes from, according to the last TRUSTED_PROXIES proxies."""
    return AnonymousThrottle().get_ident(request)


def normalized_address(address: str) -> str:
    """Returns the address under which a client is counted, without the port that some proxies append.

    For IPv6 that is the /64 network, since a client can use every address of its network.
    """
    has_port = address.count(":") == 1 or "]:" in address
    host = address.rpartition(":")[0] if has_port else address
    try:
        client = ip_address(host.strip("[]"))
    except ValueError:
        return UNKNOWN_ADDRESS
    if not isinstance(client, IPv6Address):
        return str(client)
    return str(client.ipv4_mapped or IPv6Address(int(client) >> 64 << 64))


def throttle_unauthenticated(request: Request, view: Any) -> None:
    """Counts a request that failed to authenticate, which DRF's own throttles never see. Raises Throttled."""
    throttle = AnonymousThrottle()
    if not throttle.allow_request(request, view):
        raise Throttled(throttle.wait())
