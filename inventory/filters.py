"""Which books a list shows."""

from typing import Any

from django.db.models import QuerySet
from django_filters import ChoiceFilter
from django_filters.rest_framework import FilterSet

from cloudmart.api.filtering import MomentFilter, TextFilter
from inventory.stock import EventType

TRUE, FALSE = "true", "false"


class InventoryFilter(FilterSet):
    in_stock = ChoiceFilter(
        choices=[(TRUE, TRUE), (FALSE, FALSE)], method="keep_in_stock", label="Whether a copy is to be had"
    )
    title = TextFilter(field_name="title", lookup_expr="icontains", label="Part of the title")

    def keep_in_stock(self, shelves: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return shelves.filter(available_quantity__gt=0) if value == TRUE else shelves.filter(available_quantity=0)


class StockEventFilter(FilterSet):
    type = ChoiceFilter(choices=[(kind.value, kind.value) for kind in EventType])
    happened_from = MomentFilter(field_name="happened_at", lookup_expr="gte", label="Then or later")
    happened_to = MomentFilter(field_name="happened_at", lookup_expr="lt", label="Before then")
