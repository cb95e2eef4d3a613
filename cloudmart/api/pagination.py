"""Long lists, a page at a time."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as InvalidPosition
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination, PageNumberPagination
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
        """Raises PageNotFound, and ValidationError for a page size that we do not serve."""
        try:
            return super().paginate_queryset(queryset, request, view)  # type: ignore[misc]
        except (NotFound, InvalidPosition):
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
        return parameters


class CursorPages(_Pages, CursorPagination):
    """A page costs the same however deep it lies, and new rows shift nothing. For lists that grow without end."""

    ordering = ("-created_at", "-id")

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """The asked-for order, with the id to tell apart what is equal in it."""
        (first, *_) = super().get_ordering(request, queryset, view)
        return first, "-id" if first.startswith("-") else "id"


class NumberedPages(_Pages, PageNumberPagination):
    """Pages that can be jumped to, and their count. For lists that people leaf through."""
