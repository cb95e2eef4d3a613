"""Books and stock as operators see them."""

from typing import Any

from django.contrib import admin

from cloudmart.api.admin import ReadOnlyAdmin
from inventory.models import Book, InventoryRecord, InventoryView, Reservation, StockEvent


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["id", "title", "price"]
    search_fields = ["id", "title"]

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[str]:
        return ["id"] if obj else []

    def save_model(self, request: Any, obj: Book, form: Any, change: bool) -> None:
        """A new book gets its empty shelf with it."""
        super().save_model(request, obj, form, change)
        InventoryRecord.objects.get_or_create(book=obj)


@admin.register(InventoryRecord)
class InventoryRecordAdmin(ReadOnlyAdmin):
    list_display = ["book", "on_hand", "reserved", "version"]
    list_select_related = ["book"]
    search_fields = ["book__id", "book__title"]


@admin.register(InventoryView)
class InventoryViewAdmin(ReadOnlyAdmin):
    list_display = ["book", "on_hand", "reserved", "version", "updated_at"]
    list_select_related = ["book"]
    search_fields = ["book__id", "title"]


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = ["id", "order_id", "shelf_id", "quantity", "status", "expires_at"]
    list_filter = ["status"]
    search_fields = ["id", "order_id", "shelf__book__id"]
    ordering = ["-id"]


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
    search_fields = ["shelf__book__id", "order_id", "reference", "reason", "actor"]
    ordering = ["-id"]
