"""Pages of the read model, which say how far it lags behind."""

from typing import Any

from rest_framework.response import Response

from cloudmart.api.pagination import NumberedPages
from inventory.projector import lag


class LaggingPages(NumberedPages):
    """Beside the page: with how many books the list is behind, by how many events, and for how many seconds."""

    def get_paginated_response(self, data: Any) -> Response:
        page = super().get_paginated_response(data)
        page.data["lag"] = lag()
        return page

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """OpenAPI's view of a page."""
        page: dict[str, Any] = super().get_paginated_response_schema(schema)
        page["required"] = [*page["required"], "lag"]
        page["properties"]["lag"] = {
            "type": "object",
            "description": "What the list does not know yet: of so many books so many events, the oldest so long ago",
            "properties": {
                "books": {"type": "integer", "minimum": 0, "example": 1},
                "events": {"type": "integer", "minimum": 0, "example": 2},
                "seconds": {"type": "number", "minimum": 0, "example": 0.25},
            },
            "required": ["books", "events", "seconds"],
        }
        return page
