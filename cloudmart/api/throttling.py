"""Throttling of requests: signed-in users are counted by user, anonymous ones by address. The rates are settings."""

from ipaddress import IPv6Address, ip_address
from typing import Any

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle

UNKNOWN_ADDRESS = str(IPv6Address(0))
"""The address that all clients without a readable address share."""


class AnonymousThrottle(AnonRateThrottle):
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
