"""Filters of the lists of books and stock events."""

from typing import Any

from django.db.models import QuerySet
from django_filters import ChoiceFilter
from django_filters.rest_framework import FilterSet

from cloudmart.api.filtering import MomentFilter, TextFilter
from inventory.stock import EventType

TRUE, FALSE = "true", "false"


YES_OR_NO = [(TRUE, TRUE), (FALSE, FALSE)]


class LeavesOutArchived(FilterSet):
    """Without `archived`, a list has the books that the shop sells."""

    archived_column = "archived"
    archived = ChoiceFilter(choices=YES_OR_NO, method="keep", label="true: only archived books; otherwise only others")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.form.cleaned_data["archived"] == TRUE
        return super().filter_queryset(queryset).filter(**{self.archived_column: wanted})

    def keep(self, books: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return books


class BookFilter(LeavesOutArchived):
    title = TextFilter(field_name="title", lookup_expr="icontains", label="Part of the title")


class InventoryFilter(LeavesOutArchived):
    archived_column = "book__archived"
    in_stock = ChoiceFilter(
        choices=YES_OR_NO,
        method="keep_in_stock",
        label="Only books with available copies, or without",
    )
    title = TextFilter(field_name="title", lookup_expr="icontains", label="Part of the title")

    def keep_in_stock(self, books: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return books.filter(available_quantity__gt=0) if value == TRUE else books.filter(available_quantity=0)


class StockEventFilter(FilterSet):
    type = ChoiceFilter(choices=[(kind.value, kind.value) for kind in EventType])
    happened_from = MomentFilter(field_name="happened_at", lookup_expr="gte", label="At this time or later")
    happened_to = MomentFilter(field_name="happened_at", lookup_expr="lt", label="Before this time")
