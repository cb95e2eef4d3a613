"""What OPTIONS says of a route."""

from typing import Any

from rest_framework.metadata import SimpleMetadata
from rest_framework.request import Request


class MediaTypes(SimpleMetadata):
    """The name of a route, and its media types. /schema describes its bodies: a view has several of them."""

    def determine_actions(self, request: Request, view: Any) -> dict[str, Any]:
        return {}
