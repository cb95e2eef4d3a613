"""How long a request drives its order: until its budget is spent, or, where the client prefers that, not at all.

What is left then is the workers' to do, and the answer is 202 (RFC 7240, `Prefer: respond-async`).
"""

import re
from collections.abc import Callable
from functools import wraps
from time import monotonic
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.kernel.stopping import ShouldStop, always

PREFER, APPLIED = "Prefer", "Preference-Applied"
RESPOND_ASYNC = "respond-async"
QUOTED = re.compile(r'"[^"]*"')

Handler = Callable[..., Response]


def request_deadline(request: Request | HttpRequest) -> ShouldStop:
    """When whoever drives a saga in this request has to leave it to the workers, from now on."""
    if prefers_async(request):
        return always
    end = monotonic() + settings.REQUEST_BUDGET
    return lambda: monotonic() >= end


def prefers_async(request: Request | HttpRequest) -> bool:
    """Whether the client would rather look for the outcome later than wait for it."""
    preferences = QUOTED.sub("", request.headers.get(PREFER, "")).split(",")
    return any(re.split("[;=]", each)[0].strip().lower() == RESPOND_ASYNC for each in preferences)


def may_respond_async(handler: Handler) -> Handler:
    """Say of a 202 that this is what the client has preferred; and note, for the documentation, that it may."""

    @wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = handler(view, request, *args, **kwargs)
        if answer.status_code == 202 and prefers_async(request):
            answer[APPLIED] = RESPOND_ASYNC
        return answer

    handle.may_respond_async = True  # type: ignore[attr-defined]
    return handle
