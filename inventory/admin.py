"""Books and stock in the admin."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.urls import reverse
from django.utils.html import format_html

from cloudmart.pages.base import LargeTableAdmin, ReadOnlyAdmin, RecordsValues
from inventory.charts import stock_chart
from inventory.locks import lock_book
from inventory.models import Book, InventoryRecord, InventoryView, Reservation, StockEvent, StockMovement
from inventory.movements import COLUMNS
from inventory.report_admin import MovementReportAdmin, ReservationReportAdmin
from inventory.selectors import sample_of
from inventory.stock import Stock

EVENTS_ON_A_PAGE = 100


@admin.register(Book)
class BookAdmin(RecordsValues, LargeTableAdmin):
    list_display = ["id", "title", "price", "archived"]
    list_filter = ["archived"]
    money = ("price",)
    search_fields = ["^id", "^title"]
    ordering = ["pk"]

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[Any]:
        shown = super().get_readonly_fields(request, obj)
        return ["id", *shown] if obj else shown

    def get_object(self, request: Any, object_id: str, from_field: str | None = None) -> Book | None:
        """Locks the book whose page is sent, so that its history has the value that was replaced."""
        book = super().get_object(request, object_id, from_field)
        return lock_book(book.pk) if book and request.method == "POST" else book

    def save_model(self, request: Any, obj: Book, form: Any, change: bool) -> None:
        """Creates the stock of a new book with it."""
        super().save_model(request, obj, form, change)
        InventoryRecord.objects.get_or_create(book=obj)


@admin.register(InventoryRecord)
class InventoryRecordAdmin(ReadOnlyAdmin):
    list_display = ["book", "on_hand", "reserved", "version", "changed_at", "history"]
    list_prefetch_related = ("book",)
    search_fields = ["book"]
    ordering = ["pk"]

    def history(self, record: InventoryRecord) -> str:
        return format_html(
            '<a href="{}">history</a>', reverse("admin:inventory_inventoryrecord_history", args=[record.pk])
        )

    def history_view(self, request: Any, object_id: str, extra_context: Any = None) -> Any:
        """The book's stock events, newest first, with a chart."""
        record = InventoryRecord.objects.filter(pk=object_id).first()
        stock = record.stock if record else Stock()
        paginator = Paginator(range(stock.version, 0, -1), EVENTS_ON_A_PAGE)
        page = paginator.get_page(request.GET.get("page"))
        drawn = sample_of(object_id, stock.version)
        context = {
            "stock": stock,
            "chart": stock_chart(drawn),
            "sampled": len(drawn) if len(drawn) < stock.version else None,
            "events": StockEvent.objects.filter(shelf=object_id, version__in=page.object_list).order_by("-version"),
            "page": page,
            "page_range": paginator.get_elided_page_range(page.number),
        }
        return super().history_view(request, object_id, {**context, **(extra_context or {})})


@admin.register(InventoryView)
class InventoryViewAdmin(ReadOnlyAdmin):
    list_display = ["book", "on_hand", "reserved", "available", "version", "changed_at"]
    list_prefetch_related = ("book",)
    search_fields = ["book"]
    ordering = ["pk"]


@admin.register(Reservation)
class ReservationAdmin(ReservationReportAdmin, ReadOnlyAdmin):
    list_display = ["id", "order_id", "shelf_id", "quantity", "status", "expires_at"]
    list_filter = ["status"]
    search_fields = ["order_id", "id", "shelf__book"]


@admin.register(StockEvent)
class StockEventAdmin(ReadOnlyAdmin):
    list_display = [
        "shelf_id",
        "version",
        "type",
        "on_hand_delta",
        "reserved_delta",
        "on_hand_after",
        "reserved_after",
        "reference",
    ]
    list_filter = ["type"]
    search_fields = ["order_id", "shelf__book"]


@admin.register(StockMovement)
class StockMovementAdmin(MovementReportAdmin, ReadOnlyAdmin):
    list_display = ["day", "book", *COLUMNS]
    list_prefetch_related = ("book",)
    search_fields = ["book"]
