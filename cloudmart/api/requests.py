"""Every request has an id, in its answer and in all its log lines, and one line in the log when it is answered."""

import re
from collections.abc import Callable
from time import perf_counter
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.functional import LazyObject, empty
from structlog.contextvars import bound_contextvars, get_contextvars

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.redaction import forget_secrets, register_secret

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")

logger = structlog.get_logger(__name__)


class RequestLog:
    """The outermost middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = perf_counter()
        forget_secrets()
        register_secret(request.headers.get("Authorization", "").rpartition(" ")[2])
        given = request.headers.get(HEADER, "")
        request_id = given if SANE.fullmatch(given) else str(new_id())
        with bound_contextvars(request_id=request_id):
            response = self._get_response(request)
            response[HEADER] = request_id
            logger.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                duration_ms=round((perf_counter() - began) * 1000, 1),
                user_id=user_id_of(request),
            )
        return response


def user_id_of(request: HttpRequest) -> Any:
    """Who the view has found to be asking. A user whom nobody wanted to know is not looked up for the log's sake."""
    user: Any = getattr(request, "user", None)
    if isinstance(user, LazyObject) and user._wrapped is empty:
        return None
    return getattr(user, "pk", None)


def request_id() -> str:
    """The id of the request at hand; "" when there is none."""
    return str(get_contextvars().get("request_id", ""))
