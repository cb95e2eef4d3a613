"""Request ids and the request log: each response and log line carries the id, and each request logs one line."""

import re
from collections.abc import Callable
from time import perf_counter
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.functional import LazyObject, empty
from structlog.contextvars import bound_contextvars, get_contextvars

from cloudmart.api.long_polling import LongPoll, long_poll_of
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.redaction import forget_secrets, register_secret

HEADER, HEADER_KEY = "X-Request-ID", "HTTP_X_REQUEST_ID"
VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

logger = structlog.get_logger(__name__)


class RequestLog:
    """The outermost middleware. It accepts a request id from the client, or makes one.

    A request that waits for an order is logged when it has its response.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        poll = long_poll_of(request) or LongPoll()
        started = poll.began = poll.began or perf_counter()
        forget_secrets()
        register_secret(request.headers.get("Authorization", "").rpartition(" ")[2])
        given = request.headers.get(HEADER, "")
        request_id = given if VALID_ID.fullmatch(given) else str(new_id())
        with bound_contextvars(request_id=request_id):
            response = self._get_response(request)
            response[HEADER] = request_id
            if poll.is_postponed:
                request.META[HEADER_KEY] = request_id
                return response
            logger.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                duration_ms=round((perf_counter() - started) * 1000, 1),
                user_id=user_id_of(request),
                **({"waited_ms": round(poll.waited * 1000, 1)} if poll.waited is not None else {}),
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
