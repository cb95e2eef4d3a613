"""JSON in snake_case, and in camelCase for clients that ask for it."""

from typing import Any

from django.utils.http import parse_header_parameters
from rest_framework.renderers import JSONRenderer

from cloudmart.api.camel_case import camel_cased

CASE, CAMEL = "case", "camel"
CASES = ("snake", CAMEL)
"""The values of the parameter `case` of a media type."""


def in_camel_case(media_type: str) -> str:
    """Returns the media type of the camelCase variant."""
    return f"{media_type}; {CASE}={CAMEL}"


def case_of(media_range: str) -> str | None:
    """Returns the case that a media range of an Accept header names; None if it names none."""
    try:
        case: str | None = parse_header_parameters(media_range)[1].get(CASE)
    except ValueError:
        return None
    return case


class CamelCaseRenderer(JSONRenderer):
    media_type = in_camel_case(JSONRenderer.media_type)

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        response = (renderer_context or {}).get("response")
        if response and case_of(response["Content-Type"]) is None:
            response["Content-Type"] = in_camel_case(response["Content-Type"])
        rendered: bytes = super().render(camel_cased(data), accepted_media_type, renderer_context)
        return rendered
