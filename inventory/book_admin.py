"""The books in the admin: the list with their stock, and the page of one."""

from functools import partial
from typing import Any

from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from cloudmart.pages.base import LargeTableAdmin, RecordsValues, nobody
from cloudmart.pages.changelists import FilterByKeys
from inventory.book_page import stock_page
from inventory.cells import LOW, level, state
from inventory.locks import lock_book
from inventory.models import Book, InventoryRecord, InventoryView
from inventory.projector import show_new
from inventory.stock_changes import COMMANDS, ChangesStock

COPIES = {"out": (0, 0), "low": (1, LOW)}
"""The least and the most available copies, by the value of the filter."""


class StockFilter(FilterByKeys):
    """Books with few or no available copies, from the read model, which may lag."""

    title = _("stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("out", _("Out of stock")), ("low", _("Low: at most %(copies)s") % {"copies": LOW})]

    def keys(self) -> QuerySet[Any]:
        copies = COPIES.get(self.value() or "")
        few = InventoryView.objects.filter(available__range=copies) if copies else InventoryView.objects.none()
        return few.order_by("available", "pk").values_list("pk", flat=True)


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
    list_prefetch_related = ("view",)
    fields = ["id", "title", "price", "archived"]
    money = ("price",)
    search_fields = ["^id", "^title"]
    ordering = ["pk"]
    csv_columns = ("id", "title", "price", "archived", "view__on_hand", "view__reserved", "view__available")
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
        """Creates the stock of a new book with it, and its row in the list of books."""
        super().save_model(request, obj, form, change)
        if InventoryRecord.objects.get_or_create(book=obj)[1]:
            show_new(obj.pk)

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
