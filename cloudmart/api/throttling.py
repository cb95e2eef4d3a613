"""Throttling of requests: signed-in users are counted by user, anonymous ones by address. The rates are settings."""

from ipaddress import IPv6Address, ip_address
from typing import Any

from prometheus_client import Counter
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle

from cloudmart.api.counting import CacheUnavailable, count_request
from cloudmart.api.long_polling import has_waited
from cloudmart.kernel.metrics import harmless

THROTTLE_FAILURES = Counter(
    "cloudmart_throttle_failures", "Requests that were allowed because the cache could not count them."
)

UNKNOWN_ADDRESS = str(IPv6Address(0))
"""The address that all clients without a readable address share."""


class SlidingWindow(SimpleRateThrottle):
    """Counts the requests of the present and the previous period, where DRF's own class stores the time of each."""

    num_requests: int
    duration: int

    def allow_request(self, request: Request, view: Any) -> bool:
        """Returns True if the rate allows this request, and counts it; True too if the cache cannot count it.

        A request that has waited for an order was counted before.
        """
        if has_waited(request):
            return True
        if self.rate is None or (key := self.get_cache_key(request, view)) is None:
            return True
        try:
            self.window = count_request(self.cache, key, self.num_requests, self.duration, self.time_of_request())
        except CacheUnavailable:
            count_throttle_failure()
            return True
        return self.window.is_allowed

    def time_of_request(self) -> float | None:
        """Returns the time of the request; None: by the clock of the cache."""
        return None

    def wait(self) -> float:
        """Returns the seconds until the rate allows the next request, if there is none before."""
        return self.window.wait(self.num_requests, self.duration)


@harmless
def count_throttle_failure() -> None:
    THROTTLE_FAILURES.inc()


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
