"""Bodies that are refused before anybody reads them."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from cloudmart.api.problems import plain, problem


def length_required(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a body of untold length is refused, because Django would show it to us as empty."""

    def handle(request: HttpRequest) -> HttpResponse:
        if "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers:
            return plain(problem("length_required"))
        return get_response(request)

    return handle
