"""Middleware that rejects request bodies before anything reads them."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cloudmart.api.charsets import REJECTED_CONTENT_TYPE
from cloudmart.api.negotiation import accept_of
from cloudmart.api.problems import json_response, problem


def limit_body_size(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Rejects a body that is too long, on every path, and one of unknown length, which Django would read as empty."""

    def handle(request: HttpRequest) -> HttpResponse:
        length = request.headers.get("Content-Length", "")
        if not length and "Transfer-Encoding" in request.headers:
            return json_response(problem("length_required"), accept_of(request))
        if length.isdecimal() and int(length) > settings.MAX_BODY_SIZE:
            too_large = problem("body_too_large", f"The body may have {settings.MAX_BODY_SIZE} bytes.")
            return json_response(too_large, accept_of(request))
        return get_response(request)

    return handle


def require_utf8(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Rejects a request whose Content-Type names a charset other than UTF-8."""

    def handle(request: HttpRequest) -> HttpResponse:
        if REJECTED_CONTENT_TYPE in request.META:
            return json_response(problem("charset_not_supported"), accept_of(request))
        return get_response(request)

    return handle
