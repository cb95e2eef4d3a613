"""How often somebody may ask; rates are settings. Signed-in users are counted by user, strangers by address."""

from typing import Any

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle


def address_of(request: Any) -> str:
    """Where a request comes from: as many proxies are believed as TRUSTED_PROXIES says."""
    return str(AnonRateThrottle().get_ident(request))


def check_stranger(request: Request, view: Any) -> None:
    """Count a request that was turned away at the door: DRF's throttles come after it. Raises Throttled."""
    throttle = AnonRateThrottle()
    if not throttle.allow_request(request, view):
        raise Throttled(throttle.wait())
