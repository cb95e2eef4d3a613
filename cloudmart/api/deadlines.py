"""The request deadline: how long a request drives its order.

It ends after REQUEST_BUDGET, or at once for a client that sends `Prefer: respond-async` (RFC 7240). A worker then
continues the order, and the response is 202.
"""

import re
from collections.abc import Callable
from time import monotonic
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.kernel.stopping import ShouldStop, always

PREFER, APPLIED = "Prefer", "Preference-Applied"
RETRY_AFTER, SECONDS = "Retry-After", 1
"""What a 202 advises: a worker looks for work that often, and repeats a failed provider call later still."""
RESPOND_ASYNC = "respond-async"
QUOTED = re.compile(r'"[^"]*"')

Handler = Callable[..., Response]


def request_deadline(request: Request | HttpRequest) -> ShouldStop:
    """Returns a `should_stop` that becomes true when this request must leave its saga to the workers."""
    if prefers_async(request):
        return always
    end = monotonic() + settings.REQUEST_BUDGET
    return lambda: monotonic() >= end


def prefers_async(request: Request | HttpRequest) -> bool:
    """Returns True if the client prefers a 202 over waiting for the outcome."""
    preferences = QUOTED.sub("", request.headers.get(PREFER, "")).split(",")
    return any(re.split("[;=]", each)[0].strip().lower() == RESPOND_ASYNC for each in preferences)


def may_respond_async(handler: Handler) -> Handler:
    """Marks a handler that may respond before the saga is finished, for the documentation."""
    handler.may_respond_async = True  # type: ignore[attr-defined]
    return handler


class RespondsUnfinished(APIView):
    """A view that adds Retry-After to a 202."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code == 202:
            response[RETRY_AFTER] = str(SECONDS)
        return response


class RespondsAsync(RespondsUnfinished):
    """A view that also adds Preference-Applied to a 202 if the client asked for it."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code == 202 and prefers_async(request):
            response[APPLIED] = RESPOND_ASYNC
        return response
