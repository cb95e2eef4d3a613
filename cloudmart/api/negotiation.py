"""Content negotiation for views with a single representation."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer


class OneRepresentation(BaseContentNegotiation):
    """Ignores Accept. Monitoring systems send all kinds of values, and must not get 406."""

    def select_renderer(
        self, request: Any, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first, *_ = renderers
        return first, first.media_type
