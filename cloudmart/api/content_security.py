"""The Content-Security-Policy of every response."""

from collections.abc import Callable

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse

DEBUG_PAGES = {404, 500}
"""The statuses for which Django shows pages with inline scripts and styles if DEBUG is true."""


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Adds CONTENT_SECURITY_POLICY. Builds it once, where the middleware of django-csp builds it for each response."""
    policy = build_policy()

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not (settings.DEBUG and response.status_code in DEBUG_PAGES):
            response.setdefault(HEADER, policy)
        return response

    return handle
