"""Middleware that decides which responses may be cached."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def no_store(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Forbids caching of every response, unless the view sets Cache-Control or an ETag."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if "ETag" not in response:
            response.setdefault("Cache-Control", "no-store")
        return response

    return handle
