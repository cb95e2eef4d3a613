"""Base classes of the admin pages: of large tables, and of rows that must not be edited by hand."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import display_for_field, label_for_field
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext, gettext_lazy
from unfold.admin import ModelAdmin, TabularInline

from cloudmart.database.replica import reads_stale
from cloudmart.kernel.money import formatted
from cloudmart.pages import changelists
from cloudmart.pages.cells import id_in
from cloudmart.pages.changelists import BoundedPaginator, IndexedChangeList
from cloudmart.pages.exports import MOST_EXPORTED, download, table
from cloudmart.pages.searching import described, key_of


def permission_to(permission: str) -> Callable[[Any, HttpRequest], bool]:
    """Returns a `has_…_permission` method for an admin action that needs `permission`."""

    def has_permission(self: Any, request: HttpRequest) -> bool:
        return request.user.has_perm(permission)

    return has_permission


def nobody(self: Any, request: HttpRequest, obj: Any = None) -> bool:
    """A `has_…_permission` method that allows nobody."""
    return False


def fixed_choices(column: str, values: Iterable[str], name: Any = "") -> type[admin.SimpleListFilter]:
    """Returns a filter that offers these values, and does not ask the table which it has."""

    class FixedChoices(admin.SimpleListFilter):
        title = name or gettext_lazy(column.replace("_", " "))
        parameter_name = column

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, gettext(value)) for value in values]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{column: self.value()}) if self.value() else queryset

    return FixedChoices


@cache
def amount_in(column: str) -> Callable[[Any], str | None]:
    """Returns a column of the admin that shows an amount of money as people write it."""

    @admin.display(description=gettext_lazy(column.replace("_", " ")), empty_value="-")
    def shown(row: Any) -> str | None:
        amount = getattr(row, column)
        return None if amount is None else formatted(amount)

    return shown


class ListLink(NamedTuple):
    """A link beside the search of a list, with the name of an icon (Material Symbols)."""

    title: Any
    url: str
    icon: str


class ShowsMoney(admin.options.BaseModelAdmin):
    """Shows the amounts of `money` as people write them, wherever a page does not edit them."""

    money: tuple[str, ...] = ()

    def shown(self, columns: Iterable[Any]) -> list[Any]:
        return [amount_in(column) if column in self.money else column for column in columns]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self.shown(super().get_list_display(request))  # type: ignore[misc]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Lists an amount once: Django adds the columns that are only shown to those of the form."""
        fields = super().get_fields(request, obj)
        return list(dict.fromkeys(self.shown(fields))) if self._only_shows_money(request, obj) else list(fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = map(amount_in, self.money) if self._only_shows_money(request, obj) else ()
        return [*super().get_readonly_fields(request, obj), *shown]

    def _only_shows_money(self, request: HttpRequest, obj: Any) -> bool:
        return bool(self.money) and obj is not None and not self.has_change_permission(request, obj)


class RecordsValues(ShowsMoney, ModelAdmin):
    """A page whose history says what was changed from which value to which. It stores only what was changed."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=self.columns_changed(form))
        else:
            super().save_model(request, obj, form, change)

    def columns_changed(self, form: Any) -> list[str]:
        """Returns the columns that the form changes."""
        return list(form.changed_data)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Returns the message in English: others read it in their own language."""
        with translation.override("en"):
            if add:
                return [{"added": {"name": str(self.opts.verbose_name), "object": str(form.instance)}}]
            changes = "; ".join(filter(None, (self._change_of(form, name) for name in form.changed_data)))
            return changes or super().construct_change_message(request, form, formsets)

    def _change_of(self, form: Any, name: str) -> str:
        """Returns the old and the new value; "" if they are the same: a form can lack its hidden initial values."""
        old, new = (self.written(name, values[name]) for values in (form.initial, form.cleaned_data))
        return f"{label_for_field(name, self.model, self)}: {old} → {new}" if old != new else ""

    def written(self, name: str, value: Any) -> str:
        """Returns a value as the history says it."""
        if name in self.money and value is not None:
            return formatted(value)
        if isinstance(value, bool):
            return str(value)
        if isinstance(value, Model):
            return str(value.pk)
        if value == "":
            return "none"
        field: Any = self.opts.get_field(name)
        return display_for_field(value, field, "none")


class LargeTableAdmin(ShowsMoney, ModelAdmin):
    """A list whose pages stay fast however long the table is.

    It is searched by the indexed columns of `search_fields`: by an exact value, or with ^ by how a value begins. The
    first of them that finds something is the result. The order is that of the index; `ordering` is pk or -pk. With
    `csv_columns` it can be downloaded as CSV.
    """

    list_per_page = 30
    list_max_show_all = 0
    list_select_related = ()
    list_prefetch_related: tuple[str, ...] = ()
    list_defer: tuple[str, ...] = ()
    csv_columns: tuple[str, ...] = ()
    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Shows long ids by their ends. The first column is a link to the row."""
        columns = super().get_list_display(request)
        return [
            id_in(self.model, each, is_link=each == columns[0]) if isinstance(each, str) else each for each in columns
        ]

    @property
    def search_help_text(self) -> str:
        return described(self.model, self.search_fields)

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_csv"
        urls = [path("csv/", self.admin_site.admin_view(self.csv_view), name=name)] if self.csv_columns else []
        return [*urls, *super().get_urls()]

    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """Responds with the rows that the search and the filters find. The file's name says if they are cut.

        Raises PermissionDenied.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            keys, cut = self.keys_found(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect("../")
        rows = table(self.model, keys, self.csv_columns, self.money)
        return download(rows, f"{self.opts.model_name}{cut}")

    @reads_stale
    def keys_found(self, request: HttpRequest) -> tuple[list[Any], str]:
        """Returns the keys of the rows that the search and the filters find, and the mark of a file that is cut.

        Raises IncorrectLookupParameters.
        """
        changelist = self.get_changelist_instance(request)
        found, is_part = changelist.found_among(MOST_EXPORTED, request)
        most = changelists.MOST_COUNTED if changelist.is_cut else MOST_EXPORTED
        keys = list(found.values_list("pk", flat=True)[: most + 1])
        return keys[:most], f"-first-{most}" if is_part or changelist.is_cut or len(keys) > most else ""

    def list_links(self, request: HttpRequest) -> list[ListLink]:
        """Returns the links beside the search of the list."""
        return []

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"list_links": self.list_links(request), **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[IndexedChangeList]:
        return IndexedChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        key = key_of(self.model, self.get_search_fields(request), term)
        return (queryset.filter(**key) if key else queryset.none()), False


class ReadOnlyAdmin(LargeTableAdmin):
    """A page on which rows can be read, searched and filtered, but not added, changed or deleted."""

    has_add_permission = has_change_permission = has_delete_permission = nobody


class ReadOnlyInline(ShowsMoney, TabularInline):
    """Read-only rows on the page of the row that they belong to."""

    extra = 0
    has_add_permission = has_change_permission = has_delete_permission = nobody
