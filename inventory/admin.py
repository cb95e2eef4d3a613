"""Books and stock in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from cloudmart.pages.base import ReadOnlyAdmin
from cloudmart.pages.cells import book, column, linked, order
from inventory.book_admin import BookAdmin
from inventory.cells import age, on_hand, reservation_status, reserved, what
from inventory.models import (
    Book,
    InventoryRecord,
    InventoryView,
    PendingEvent,
    Reservation,
    StockEvent,
    StockMovement,
    SubShelf,
)
from inventory.movements import COLUMNS
from inventory.report_admin import MovementReportAdmin, ReservationReportAdmin

admin.site.register(Book, BookAdmin)


@admin.register(InventoryRecord)
class InventoryRecordAdmin(ReadOnlyAdmin):
    list_display = ["book", "on_hand", "reserved", "version", "changed_at", "history"]
    list_prefetch_related = ("book",)
    search_fields = ["book"]
    ordering = ["pk"]

    @admin.display(description=_("history"))
    def history(self, record: InventoryRecord) -> str:
        return linked("inventory_book_change", record.pk, _("history"))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponseRedirect:
        """The page of the book has the history of its stock."""
        return HttpResponseRedirect(reverse("admin:inventory_book_change", args=[object_id]))


@admin.register(SubShelf)
class SubShelfAdmin(ReadOnlyAdmin):
    list_display = [book, "number", "on_hand", "reserved", "changed_at"]
    search_fields = ["shelf__book"]
    fields = [book, "number", "on_hand", "reserved", "changed_at"]
    readonly_fields = [book]
    ordering = ["pk"]
    csv_columns = ("shelf_id", "number", "on_hand", "reserved", "changed_at")


@admin.register(PendingEvent)
class PendingEventAdmin(ReadOnlyAdmin):
    list_display = ["happened_at", book, what, "on_hand_delta", "reserved_delta", order, "actor", "reason"]
    search_fields = ["order_id", "shelf__book"]
    fields = ["happened_at", book, what, "on_hand_delta", "reserved_delta", order, "actor", "reason", "reservation_id"]
    readonly_fields = [book, what, order]
    csv_columns = (
        "happened_at",
        "shelf_id",
        "type",
        "on_hand_delta",
        "reserved_delta",
        "order_id",
        "actor",
        "reason",
    )


@admin.register(InventoryView)
class InventoryViewAdmin(ReadOnlyAdmin):
    list_display = ["book", "on_hand", "reserved", "available", "version", "changed_at"]
    list_prefetch_related = ("book",)
    search_fields = ["book"]
    ordering = ["pk"]


held_for = column(
    _("draft of"),
    lambda reservation: reservation.held_for and linked("orders_customer_change", reservation.held_for),
    "held_for",
)


@admin.register(Reservation)
class ReservationAdmin(ReservationReportAdmin, ReadOnlyAdmin):
    list_display = ["held_since", order, book, "quantity", reservation_status, "expires_at", age]
    list_filter = ["status"]
    search_fields = ["order_id", "id", "shelf__book"]
    fields = [
        order,
        book,
        "quantity",
        reservation_status,
        "held_since",
        age,
        "expires_at",
        held_for,
        "updated_at",
        "id",
    ]
    readonly_fields = [order, book, reservation_status, age, held_for]
    csv_columns = ("held_since", "order_id", "shelf_id", "quantity", "status", "expires_at", "id")


@admin.register(StockEvent)
class StockEventAdmin(ReadOnlyAdmin):
    list_display = ["happened_at", book, what, on_hand, reserved, order, "actor", "reason", "reference"]
    list_filter = ["type"]
    search_fields = ["order_id", "shelf__book"]
    fields = [
        "happened_at",
        book,
        "version",
        what,
        on_hand,
        reserved,
        order,
        "actor",
        "reason",
        "reference",
        "reservation_id",
    ]
    readonly_fields = [book, what, on_hand, reserved, order]
    csv_columns = (
        "happened_at",
        "shelf_id",
        "version",
        "type",
        "on_hand_delta",
        "reserved_delta",
        "on_hand_after",
        "reserved_after",
        "order_id",
        "actor",
        "reason",
        "reference",
    )


@admin.register(StockMovement)
class StockMovementAdmin(MovementReportAdmin, ReadOnlyAdmin):
    list_display = ["day", "book", *COLUMNS]
    list_prefetch_related = ("book",)
    search_fields = ["book"]
    csv_columns = ("day", "book_id", "book__title", *COLUMNS)
