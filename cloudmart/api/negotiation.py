"""Where there is but one representation."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer


class OneRepresentation(BaseContentNegotiation):
    """Monitoring systems accept all sorts of formats: they are told what we have, never 406."""

    def select_renderer(
        self, request: Any, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first, *_ = renderers
        return first, first.media_type
