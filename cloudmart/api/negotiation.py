"""Content negotiation: by the case of the names, or none for views with a single representation."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from cloudmart.api.renderers import CAMEL, CASE, CASES, case_of


class CaseNegotiation(DefaultContentNegotiation):
    """Selects the renderer by the parameter `case` too. A range with an unknown case matches nothing."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Raises NotAcceptable.

        Without a `case` the first renderer is the only candidate. With one it is the last: it accepts any parameter.
        """
        default, *others = renderers
        candidates = [*others, default] if names_case(request) else [default]
        selected: tuple[BaseRenderer, str] = super().select_renderer(request, candidates, format_suffix)
        return selected

    def get_accept_list(self, request: Request) -> list[str]:
        ranges: list[str] = super().get_accept_list(request)
        return [each for each in ranges if case_of(each) in {None, *CASES}] if names_case(request) else ranges


def names_case(request: Request | HttpRequest) -> bool:
    """Returns False if the Accept header certainly names no case."""
    return f"{CASE}=" in request.headers.get("Accept", "").lower()


def wants_camel_case(request: HttpRequest) -> bool:
    """Returns True if the client asks for camelCase, for responses that no view has made."""
    ranges = request.headers.get("Accept", "").split(",")
    return names_case(request) and CAMEL in map(case_of, ranges)


class OneRepresentation(BaseContentNegotiation):
    """Ignores Accept. Monitoring systems send all kinds of values, and must not get 406."""

    def select_renderer(
        self, request: Any, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first, *_ = renderers
        return first, first.media_type
