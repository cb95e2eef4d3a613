"""Sessions, which only browsers have: a request to the API with a bearer token skips their middleware.

Its view authenticates the token or rejects the request, and never reads a session. The admin knows no tokens.
"""

from collections.abc import Awaitable

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

ADMIN = "/admin/"


def uses_token(request: HttpRequest) -> bool:
    """Returns True if the request authenticates itself to the API by a bearer token."""
    is_bearer = request.META.get("HTTP_AUTHORIZATION", "").startswith("Bearer ")
    return is_bearer and not request.path_info.startswith(ADMIN)


class SkippedByTokens(MiddlewareMixin):
    """A mixin for middleware that only requests without a token need."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return self.get_response(request) if uses_token(request) else super().__call__(request)


class SessionMiddleware(SkippedByTokens, sessions.SessionMiddleware):
    pass


class AuthenticationMiddleware(SkippedByTokens, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(SkippedByTokens, messages.MessageMiddleware):
    pass
