"""Filters of the lists of books and stock events."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter
from django_filters.rest_framework import FilterSet

from cloudmart.api.filtering import TRUE, YES_OR_NO, CodeFilter, DayFilter, MomentFilter, TextFilter
from inventory.models import Book
from inventory.stock import EventType


class LeavesOutArchived(FilterSet):
    """Without `archived`, a list has the books that the shop sells."""

    archived = ChoiceFilter(choices=YES_OR_NO, method="keep", label="true: only archived books; otherwise only others")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.form.cleaned_data["archived"] == TRUE
        return self.by_archived(super().filter_queryset(queryset), wanted)

    def by_archived(self, books: QuerySet[Any], wanted: bool) -> QuerySet[Any]:
        """Returns the archived books, or the others."""
        return books.filter(archived=wanted)

    def keep(self, books: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return books


class BookFilter(LeavesOutArchived):
    title = TextFilter(field_name="title", lookup_expr="icontains", label="Part of the title")


class InventoryFilter(LeavesOutArchived):
    in_stock = ChoiceFilter(
        choices=YES_OR_NO,
        method="keep_in_stock",
        label="Only books with available copies, or without",
    )
    title = TextFilter(field_name="title", lookup_expr="icontains", label="Part of the title")

    def by_archived(self, books: QuerySet[Any], wanted: bool) -> QuerySet[Any]:
        """Looks the few archived ones up: joined with the catalogue, the whole list would be sorted for each page."""
        archived = Book.objects.filter(archived=True).values("pk")
        return books.filter(pk__in=archived) if wanted else books.exclude(pk__in=archived)

    def keep_in_stock(self, books: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return books.filter(available_quantity__gt=0) if value == TRUE else books.filter(available_quantity=0)


MovementFilter = type(
    "MovementFilter",
    (FilterSet,),
    {
        "from": DayFilter(field_name="day", lookup_expr="gte", label=_("The first day")),
        "to": DayFilter(field_name="day", lookup_expr="lte", label=_("The last day")),
        "book_id": CodeFilter(field_name="book", label=_("A book")),
    },
)
"""Filters movements by a period. A class statement cannot name a filter `from`."""


class StockEventFilter(FilterSet):
    type = ChoiceFilter(choices=[(kind.value, kind.value) for kind in EventType])
    happened_from = MomentFilter(field_name="happened_at", lookup_expr="gte", label="At this time or later")
    happened_to = MomentFilter(field_name="happened_at", lookup_expr="lt", label="Before this time")
