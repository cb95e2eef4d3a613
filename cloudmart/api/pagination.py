"""Pagination of lists."""

import re
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import Field
from django.utils.translation import gettext
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination, PageNumberPagination
from rest_framework.request import Request

from cloudmart.kernel.errors import DomainError


class PageNotFound(DomainError, code="page_not_found"):
    """There is no such page."""


class _Pages:
    """What both kinds of pagination share: a page size out of range is an error, and so is a missing page."""

    page_size = settings.PAGE_SIZE
    max_page_size = settings.MAX_PAGE_SIZE
    page_size_query_param: str | None = "page_size"

    def get_page_size(self, request: Request) -> int:
        size = request.query_params.get("page_size")
        if size is None:
            return int(self.page_size)
        if not (size.isascii() and size.isdecimal() and 1 <= int(size[:9]) <= self.max_page_size):
            raise ValidationError(
                {"page_size": [gettext("Give a number from 1 to %(most)s.") % {"most": self.max_page_size}]}
            )
        return int(size)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Raises PageNotFound, or ValidationError for a malformed page, cursor or page size."""
        try:
            return super().paginate_queryset(queryset, request, view)  # type: ignore[misc]
        except NotFound:
            raise PageNotFound from None

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Returns the parameters in OpenAPI, with their limits."""
        limits = {
            "page_size": {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size},
            "cursor": {"minLength": 1},
            "page": {"minimum": 1},
        }
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)  # type: ignore[misc]
        for parameter in parameters:
            parameter["schema"].update(limits[parameter["name"]])
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Returns the schema of a page in OpenAPI 3.1, which has no `nullable`."""
        page: dict[str, Any] = super().get_paginated_response_schema(schema)  # type: ignore[misc]
        for link in ("next", "previous"):
            del page["properties"][link]["nullable"]
            page["properties"][link]["type"] = ["string", "null"]
        return page


class CursorPages(_Pages, CursorPagination):
    """Cursor pagination, for long lists: every page costs the same, and new rows do not shift the pages."""

    ordering = ("-created_at", "-id")

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """Returns the requested ordering, with the id as the tie-breaker."""
        (first, *_) = super().get_ordering(request, queryset, view)
        return tuple(dict.fromkeys([first, "-id" if first.startswith("-") else "id"]))

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        (first, *_) = self.get_ordering(request, queryset, view)
        self.position_field = queryset.model._meta.get_field(first.lstrip("-"))
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises ValidationError for a cursor that no page links to."""
        try:
            cursor = super().decode_cursor(request)
            if cursor and cursor.position is not None:
                check_position(str(cursor.position), self.position_field)
        except (NotFound, InvalidValue, ValueError, OverflowError):
            raise ValidationError(
                {"cursor": [gettext("This is not a cursor; follow `next` and `previous`.")]}
            ) from None
        return cursor


def check_position(position: str, field: "Field[Any, Any]") -> None:
    """Raises InvalidValue, ValueError or OverflowError unless `position` is the text of a value of `field`."""
    value = field.to_python(position)
    if str(value.astimezone(UTC) if isinstance(value, datetime) else value) != position:
        raise ValueError(position)


class NumberedPages(_Pages, PageNumberPagination):
    """Numbered pages and their count, for short lists."""

    def get_page_number(self, request: Request, paginator: Any) -> str:
        """Raises ValidationError unless the page is a number from 1."""
        number: str = request.query_params.get(self.page_query_param, "1")
        if not re.match(r"^[1-9][0-9]*\Z", number):
            raise ValidationError({self.page_query_param: [gettext("Give a number from 1.")]})
        return number
