"""The books in the admin: the list with their stock, and the page of one."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from cloudmart.pages.base import LargeTableAdmin, RecordsValues, nobody
from cloudmart.pages.changelists import FilterByKeys
from inventory.book_page import stock_page
from inventory.cells import level, state
from inventory.locks import lock_book
from inventory.models import Book, InventoryRecord, InventoryView
from inventory.projector import show_new
from inventory.selectors import find_low_stock, find_sold_out
from inventory.services.catalogue import THRESHOLD, set_low_stock_threshold, threshold_shown
from inventory.stock import MOST_COPIES
from inventory.stock_changes import COMMANDS, ChangesStock


class StockFilter(FilterByKeys):
    """Books whose stock is low, or without available copies, from the read model, which may lag."""

    title = _("stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("out", _("Out of stock")), ("low", _("Low: at or below its threshold"))]

    def keys(self) -> QuerySet[Any]:
        few = {"out": find_sold_out, "low": find_low_stock}.get(self.value() or "", InventoryView.objects.none)()
        return few.order_by("available", "pk").values_list("pk", flat=True)


class BookForm(forms.ModelForm):
    """A book, and the threshold of its stock."""

    low_stock_threshold = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_COPIES,
        label=_("Low stock threshold"),
        help_text=_("When no more copies are available, the event stock.low is sent. Empty: never."),
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial[THRESHOLD] = self.instance.low_stock_threshold


class BookAdmin(ChangesStock, RecordsValues, LargeTableAdmin):
    """Books are archived, not deleted: orders and histories name them."""

    list_display = [
        "id",
        "title",
        "price",
        level("on_hand", _("on hand")),
        level("reserved", _("reserved")),
        level("available", _("available")),
        state,
    ]
    list_filter = ["archived", StockFilter]
    list_prefetch_related = ("view", "inventory")
    form = BookForm
    fields = ["id", "title", "price", "archived", THRESHOLD]
    money = ("price",)
    search_fields = ["^id", "^title"]
    ordering = ["pk"]
    csv_columns = (
        "id",
        "title",
        "price",
        "archived",
        "view__on_hand",
        "view__reserved",
        "view__available",
        "inventory__low_stock_threshold",
    )
    change_form_outer_before_template = "admin/inventory/book/stock.html"
    change_form_outer_after_template = "admin/inventory/book/movements.html"

    has_delete_permission = nobody

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = super().get_readonly_fields(request, obj)
        return ["id", *shown] if obj else shown

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Book | None:
        """Locks the book whose page is sent, so that its history has the value that was replaced."""
        book = super().get_object(request, object_id, from_field)
        return lock_book(book.pk) if book and request.method == "POST" else book

    def save_model(self, request: HttpRequest, obj: Book, form: Any, change: bool) -> None:
        """Creates the stock of a new book with it, and its row in the list of books. Stores a new threshold."""
        super().save_model(request, obj, form, change)
        if InventoryRecord.objects.get_or_create(book=obj)[1]:
            show_new(obj.pk)
        if THRESHOLD in form.changed_data:
            set_low_stock_threshold(obj.pk, form.cleaned_data[THRESHOLD])

    @admin.display(description=_("low stock threshold"))
    def low_stock_threshold(self, book: Book) -> int | None:
        return book.low_stock_threshold

    def columns_changed(self, form: Any) -> list[str]:
        return [name for name in super().columns_changed(form) if name != THRESHOLD]

    def written(self, name: str, value: Any) -> str:
        return threshold_shown(value) if name == THRESHOLD else super().written(name, value)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The stock is read by the templates: not when a form is sent and stored."""
        context = {
            "stock_page": SimpleLazyObject(partial(stock_page, unquote(object_id), request)),
            "stock_commands": [
                {"title": each.title, "url": reverse(f"admin:inventory_book_{each.name}", args=[object_id])}
                for each in COMMANDS
                if request.user.has_perm(each.permission)
            ],
        }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
