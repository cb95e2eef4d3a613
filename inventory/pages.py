"""Pages of the read model, with its lag."""

from typing import Any

from rest_framework.response import Response

from cloudmart.api.pagination import NumberedPages
from inventory.projector import lag


class LaggingPages(NumberedPages):
    """Adds `lag`: by how many books, events and seconds the list is behind."""

    def get_paginated_response(self, data: Any) -> Response:
        page = super().get_paginated_response(data)
        page.data["lag"] = lag()
        return page

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The OpenAPI schema of a page."""
        page: dict[str, Any] = super().get_paginated_response_schema(schema)
        page["required"] = [*page["required"], "lag"]
        page["properties"]["lag"] = {
            "type": "object",
            "description": "What the list does not show yet: books, events, and seconds since the oldest event",
            "properties": {
                "books": {"type": "integer", "minimum": 0, "example": 1},
                "events": {"type": "integer", "minimum": 0, "example": 2},
                "seconds": {"type": "number", "minimum": 0, "example": 0.25},
            },
            "required": ["books", "events", "seconds"],
        }
        return page
