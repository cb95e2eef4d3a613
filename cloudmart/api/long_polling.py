"""`GET …?wait=N`: the response comes when the order's saga is finished, at the latest after N seconds.

The request occupies no thread while it waits: its handler asks the front to wait, which discards the response, waits
for the order, and runs the request again. Without the front, as under runserver or in Django's test client, nothing
waits. Both runs are one request: it is logged and throttled once, and the first run has no span.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

PARAMETER = "wait"
LONGEST_WAIT = 3600
"""The highest number of seconds that is accepted. REQUEST_BUDGET is the limit."""

LONG_POLL = "cloudmart.long_poll"
"""The key of the request's LongPoll in the WSGI environment. No header of a client has such a key."""

Handler = TypeVar("Handler", bound=Callable[..., Response])


@dataclass(slots=True)
class LongPoll:
    """What the front and the application tell each other about a request that may wait."""

    order_id: UUID | None = None
    """The order for which the application asks the front to wait."""
    seconds: float = 0
    waited: float | None = None
    """Seconds for which the front has waited; None in the first run."""
    began: float | None = None
    """When the first run began, by `perf_counter()`."""

    @property
    def is_postponed(self) -> bool:
        """Returns True if the request is run again, and this response is discarded."""
        return self.order_id is not None and self.waited is None


def long_poll_of(request: HttpRequest | Request) -> LongPoll | None:
    """Returns None if the request cannot wait: without the front, or if too many requests wait already."""
    return cast(LongPoll | None, request.META.get(LONG_POLL))


def is_postponed(request: HttpRequest | Request) -> bool:
    poll = long_poll_of(request)
    return poll is not None and poll.is_postponed


def has_waited(request: HttpRequest | Request) -> bool:
    """Returns True in the second run of a request."""
    poll = long_poll_of(request)
    return poll is not None and poll.waited is not None


def waits_while(is_unfinished: Callable[[UUID], bool]) -> Callable[[Handler], Handler]:
    """Has a GET with `wait` respond once its order is no longer unfinished. An error is raised at once."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def handle(view: Any, request: Request, order_id: UUID) -> Response:
            seconds = seconds_to_wait(request)
            response = handler(view, request, order_id)
            poll = long_poll_of(request)
            if seconds and poll and poll.waited is None and request.method == "GET" and is_unfinished(order_id):
                poll.order_id, poll.seconds = order_id, seconds
            return response

        handle.waits = True  # type: ignore[attr-defined]
        return cast(Handler, handle)

    return decorate


def seconds_to_wait(request: Request) -> float:
    """Returns 0 for a request that does not wait. Raises ValidationError."""
    if (given := request.query_params.get(PARAMETER)) is None:
        return 0
    if not (given.isascii() and given.isdigit() and int(given[:9]) <= LONGEST_WAIT):
        problem = gettext("Give a whole number of seconds, from 0 to %(most)s.") % {"most": LONGEST_WAIT}
        raise serializers.ValidationError({PARAMETER: [problem]})
    return min(float(given), settings.REQUEST_BUDGET)
