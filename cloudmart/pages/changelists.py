"""Admin lists of large tables: each page reads a bounded number of rows, by an index and in its order."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext
from unfold.views import ChangeList

from cloudmart.database.indexes import scan

MOST_COUNTED = 3_000
"""Rows that a list counts and has pages for, and rows in which it looks for what no index finds."""


class RowCount(int):
    """A number of rows, with the words in which a page shows it."""

    def __new__(cls, number: int, words: str) -> "RowCount":
        count = super().__new__(cls, number)
        count.words = words
        return count

    words: str

    def __str__(self) -> str:
        return self.words


class BoundedPaginator(Paginator):
    """The pages of the first MOST_COUNTED rows."""

    has_more = False

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted: int = rows.order_by().values("pk")[: MOST_COUNTED + 1].count()
        self.has_more = counted > MOST_COUNTED
        return min(counted, MOST_COUNTED)


class FilterByKeys(admin.SimpleListFilter):
    """A filter by rows of another table, which are looked up first. The list says so if there are more of them."""

    is_cut = False

    def keys(self) -> QuerySet[Any]:
        """Returns the primary keys of the rows that the chosen value finds."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        keys = list(self.keys()[: MOST_COUNTED + 1])
        self.is_cut = len(keys) > MOST_COUNTED
        return queryset.filter(pk__in=keys)


class IndexedChangeList(ChangeList):
    """A list by the index that finds the search and the filters, in the order of that index.

    If there are conditions besides those of the index, it shows the matches among the first MOST_COUNTED rows of that
    index, and says so.
    """

    model_admin: Any
    result_list: Any
    result_count: Any
    is_part = False

    def apply_select_related(self, qs: QuerySet[Any]) -> QuerySet[Any]:
        """Reads related rows in queries of their own: with a join the database may sort all rows."""
        return qs.prefetch_related(*self.model_admin.list_prefetch_related).defer(*self.model_admin.list_defer)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Returns the order of the whole table, which a search or a filter replaces by that of its index."""
        return list(self.model_admin.get_ordering(request))

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows, self.is_part = self.found_among(MOST_COUNTED, request, exclude_parameters)
        return rows

    def found_among(
        self, most: int, request: HttpRequest, exclude_parameters: Any = None
    ) -> tuple[QuerySet[Any], bool]:
        """Returns the rows that are found, and whether they are only those among the first `most` of their index."""
        rows = super().get_queryset(request, exclude_parameters)
        if rows.query.is_empty():
            return rows, False
        (order,) = self.get_ordering(request, rows)
        plan = scan(rows, order)
        return plan.first(most) if plan.others else (plan.ordered(), False)

    @property
    def is_cut(self) -> bool:
        """Returns True if a filter has found more rows than a list counts."""
        return any(isinstance(each, FilterByKeys) and each.is_cut for each in self.filter_specs)

    @property
    def csv_url(self) -> str:
        """The address of the list as CSV; "" if it cannot be downloaded."""
        return f"csv/{self.get_query_string(remove=[PAGE_VAR])}" if self.model_admin.csv_columns else ""

    def get_results(self, request: HttpRequest) -> None:
        """Also limits a list of one page, so that the database knows how few rows are read.

        A list without a search and filters is all that there is: its heading offers no link to show all.
        """
        super().get_results(request)
        self.result_list = self.result_list[: self.list_per_page] if self.result_count else self.queryset.none()
        words = gettext("more than %(number)s") if self.paginator.has_more else ""
        if self.is_part:
            words = gettext("%(number)s of the first %(most)s")
        if words:
            values = {"number": self.result_count, "most": MOST_COUNTED}
            self.result_count = RowCount(self.result_count, words % values)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count
