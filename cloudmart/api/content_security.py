"""The Content-Security-Policy of every response."""

from collections.abc import Callable

from csp import constants
from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse

POLICY = {
    "DIRECTIVES": {
        "default-src": [constants.NONE],
        **{key: [constants.SELF] for key in ("script-src", "style-src", "font-src", "connect-src", "form-action")},
        "img-src": [constants.SELF, "data:"],
        "frame-ancestors": [constants.NONE],
        "base-uri": [constants.NONE],
    }
}

FOR_ADMIN = {
    "script-src": [constants.SELF, constants.UNSAFE_EVAL],
    "style-src": [constants.SELF, constants.UNSAFE_INLINE],
}
"""django-unfold's Alpine evaluates the expressions in its templates, and its colours are an inline style."""

DEBUG_PAGES = {404, 500}
"""The statuses for which Django shows pages with inline scripts and styles if DEBUG is true."""


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Adds CONTENT_SECURITY_POLICY; to the admin's pages with FOR_ADMIN. Builds both once, not for each response."""
    policy, admin_policy = build_policy(), build_policy(replace=FOR_ADMIN)

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not (settings.DEBUG and response.status_code in DEBUG_PAGES):
            response.setdefault(HEADER, admin_policy if is_of_admin(request) else policy)
        return response

    return handle


def is_of_admin(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.namespace == "admin"
