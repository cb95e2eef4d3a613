"""Request ids and the request log: each response and log line carries the id, and each request logs one line."""

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
VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

logger = structlog.get_logger(__name__)


class RequestLog:
    """The outermost middleware. It accepts a request id from the client, or makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        forget_secrets()
        register_secret(request.headers.get("Authorization", "").rpartition(" ")[2])
        given = request.headers.get(HEADER, "")
        request_id = given if VALID_ID.fullmatch(given) else str(new_id())
        with bound_contextvars(request_id=request_id):
            response = self._get_response(request)
            response[HEADER] = request_id
            logger.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                duration_ms=round((perf_counter() - started) * 1000, 1),
                user_id=user_id_of(request),
            )
        return response


def user_id_of(request: HttpRequest) -> Any:
    """Returns the id of the user, or None. Does not load a user whom the view has not loaded."""
    user: Any = getattr(request, "user", None)
    if isinstance(user, LazyObject) and user._wrapped is empty:
        return None
    return getattr(user, "pk", None)


def request_id() -> str:
    """Returns the id of the present request, or "" outside of a request."""
    return str(get_contextvars().get("request_id", ""))
