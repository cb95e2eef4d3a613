"""The span of each request. It continues the client's trace, if the request has a traceparent header."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cloudmart.api.long_polling import is_postponed
from cloudmart.kernel import tracing
from cloudmart.kernel.tracing import Kind

UNTRACED = ("/healthz", "/readyz", "/metrics")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}


def server_span(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """The outermost middleware, if traces are on. Probes, scrapes and static files have no span.

    A request that waits for an order has the span of its second run.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        if request.path in UNTRACED or request.path.startswith(settings.STATIC_URL):
            return get_response(request)
        is_known = request.method in METHODS
        name = request.method or "" if is_known else "HTTP"
        attributes = {"http.request.method": name if is_known else "_OTHER", "url.scheme": request.scheme or ""}
        with tracing.trace(name, attributes, kind=Kind.SERVER, traceparent=request.headers.get("traceparent")) as span:
            response = get_response(request)
            if is_postponed(request):
                span.discard()
                return response
            span.set({"http.response.status_code": response.status_code})
            if request.resolver_match:
                route = f"/{request.resolver_match.route}"
                span.rename(f"{name} {route}")
                span.set({"http.route": route})
            if response.status_code >= 500:
                span.fail(str(response.status_code))
        return response

    return handle
