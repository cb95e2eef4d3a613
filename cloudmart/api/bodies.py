"""Bodies that are refused before anything reads them."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cloudmart.api.charsets import REFUSED
from cloudmart.api.problems import plain, problem


def bounded(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: refuses a body that is too long, on every path; and one of unknown length, which Django would
    read as empty.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        length = request.headers.get("Content-Length", "")
        if not length and "Transfer-Encoding" in request.headers:
            return plain(problem("length_required"))
        if length.isdecimal() and int(length) > settings.MAX_BODY_SIZE:
            return plain(problem("body_too_large", f"The body may have {settings.MAX_BODY_SIZE} bytes."))
        return get_response(request)

    return handle


def utf8_required(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a request whose Content-Type names another charset than UTF-8 is refused."""

    def handle(request: HttpRequest) -> HttpResponse:
        if REFUSED in request.META:
            return plain(problem("charset_not_supported"))
        return get_response(request)

    return handle
