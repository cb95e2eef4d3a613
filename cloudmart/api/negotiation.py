"""Content negotiation: by the case of the names, or none for views with a single representation."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from cloudmart.api.renderers import CAMEL, CASE, CASES, CamelCaseRenderer, case_of


class CaseNegotiation(DefaultContentNegotiation):
    """Selects the renderer by the parameter `case` too. A range with an unknown case matches nothing."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Raises NotAcceptable.

        Without a `case`, camelCase is no candidate. With one it comes first: the other renderers take any parameter.
        """
        plain = [each for each in renderers if not isinstance(each, CamelCaseRenderer)]
        camel = [each for each in renderers if isinstance(each, CamelCaseRenderer)]
        candidates = [*camel, *plain] if names_case(accept_of(request)) else plain
        selected: tuple[BaseRenderer, str] = super().select_renderer(request, candidates, format_suffix)
        return selected

    def get_accept_list(self, request: Request) -> list[str]:
        ranges: list[str] = super().get_accept_list(request)
        if not names_case(accept_of(request)):
            return ranges
        return [each for each in ranges if case_of(each) in {None, *CASES}]


def accept_of(request: Request | HttpRequest) -> str:
    """Returns the Accept header."""
    return str(request.headers.get("Accept", ""))


def names_case(accept: str) -> bool:
    """Returns False if an Accept header certainly names no case."""
    return f"{CASE}=" in accept.lower()


def wants_camel_case(accept: str) -> bool:
    """Returns True if an Accept header asks for camelCase, for responses that no view has made."""
    return names_case(accept) and CAMEL in map(case_of, accept.split(","))


class OneRepresentation(BaseContentNegotiation):
    """Ignores Accept. Monitoring systems send all kinds of values, and must not get 406."""

    def select_renderer(
        self, request: Any, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first, *_ = renderers
        return first, first.media_type
