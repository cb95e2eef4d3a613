"""How often somebody may ask; rates are settings. Signed-in users are counted by user, strangers by address."""

from ipaddress import IPv6Address, ip_address
from typing import Any

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle

UNREADABLE = str(IPv6Address(0))
"""The address of everybody who has none that can be read: they are counted together."""


class StrangerThrottle(AnonRateThrottle):
    """Limits the requests from one address that nobody is signed in from."""

    def get_ident(self, request: Any) -> str:
        return countable(super().get_ident(request) or "")


def address_of(request: Any) -> str:
    """Where a request comes from: as many proxies are believed as TRUSTED_PROXIES says."""
    return StrangerThrottle().get_ident(request)


def countable(address: str) -> str:
    """Returns the address that a client is counted by, without the port that some proxies append.

    Of IPv6 it is the network, /64: a client that has one address of it may use them all.
    """
    has_port = address.count(":") == 1 or "]:" in address
    host = address.rpartition(":")[0] if has_port else address
    try:
        client = ip_address(host.strip("[]"))
    except ValueError:
        return UNREADABLE
    if not isinstance(client, IPv6Address):
        return str(client)
    return str(client.ipv4_mapped or IPv6Address(int(client) >> 64 << 64))


def check_stranger(request: Request, view: Any) -> None:
    """Count a request that was turned away at the door: DRF's throttles come after it. Raises Throttled."""
    throttle = StrangerThrottle()
    if not throttle.allow_request(request, view):
        raise Throttled(throttle.wait())
