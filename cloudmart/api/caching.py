"""Who may keep an answer."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def no_store(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: nobody keeps an answer whose view does not say that it may be kept, or how to tell a new one."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if "ETag" not in response:
            response.setdefault("Cache-Control", "no-store")
        return response

    return handle
