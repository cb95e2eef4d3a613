"""Long lists, a page at a time."""

import re
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import Field
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination, PageNumberPagination
from rest_framework.request import Request

from cloudmart.kernel.errors import DomainError


class PageNotFound(DomainError):
    """There is no such page."""

    code = "page_not_found"


class _Pages:
    """What every kind of paging here has in common: a page size that is obeyed or refused, and no other page's 404."""

    page_size = settings.PAGE_SIZE
    max_page_size = settings.MAX_PAGE_SIZE
    page_size_query_param: str | None = "page_size"

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size")
        if asked is None:
            return int(self.page_size)
        if not (asked.isascii() and asked.isdecimal() and 1 <= int(asked[:9]) <= self.max_page_size):
            raise ValidationError({"page_size": [f"Give a number from 1 to {self.max_page_size}."]})
        return int(asked)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Raises PageNotFound, and ValidationError for what names no page, or a page size that we do not serve."""
        try:
            return super().paginate_queryset(queryset, request, view)  # type: ignore[misc]
        except NotFound:
            raise PageNotFound from None

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """OpenAPI's view of the parameters."""
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)  # type: ignore[misc]
        limits = {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"].update(limits)
            elif parameter["name"] == "cursor":
                parameter["schema"]["minLength"] = 1
            elif parameter["name"] == "page":
                parameter["schema"]["minimum"] = 1
        return parameters


class CursorPages(_Pages, CursorPagination):
    """A page costs the same however deep it lies, and new rows shift nothing. For lists that grow without end."""

    ordering = ("-created_at", "-id")

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """The asked-for order, with the id to tell apart what is equal in it."""
        (first, *_) = super().get_ordering(request, queryset, view)
        return first, "-id" if first.startswith("-") else "id"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        (first, _) = self.get_ordering(request, queryset, view)
        self.position_field = queryset.model._meta.get_field(first.lstrip("-"))
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises ValidationError for a cursor that none of our pages can have named."""
        try:
            cursor = super().decode_cursor(request)
            if cursor and cursor.position is not None:
                check_position(str(cursor.position), self.position_field)
        except (NotFound, InvalidValue, ValueError, OverflowError):
            raise ValidationError({"cursor": ["This is no cursor; follow `next` and `previous`."]}) from None
        return cursor


def check_position(position: str, field: "Field[Any, Any]") -> None:
    """Raises InvalidValue, ValueError or OverflowError unless `position` is how a value of this field is written."""
    value = field.to_python(position)
    if str(value.astimezone(UTC) if isinstance(value, datetime) else value) != position:
        raise ValueError(position)


class NumberedPages(_Pages, PageNumberPagination):
    """Pages that can be jumped to, and their count. For lists that people leaf through."""

    def get_page_number(self, request: Request, paginator: Any) -> str:
        """Raises ValidationError for what is no number from 1."""
        asked: str = request.query_params.get(self.page_query_param, "1")
        if not re.match(r"^[1-9][0-9]*\Z", asked):
            raise ValidationError({self.page_query_param: ["Give a number from 1."]})
        return asked
