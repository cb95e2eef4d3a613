from django.urls import path

from inventory.book_views import Books, OneBook
from inventory.report_views import MovementReport, ReservationReport
from inventory.views import AddStock, AdjustStock, Extend, Inventory, InventoryList, Release, StockEvents

urlpatterns = [
    path("books", Books.as_view(), name="books"),
    path("books/<code:book_id>", OneBook.as_view(), name="book"),
    path("inventory", InventoryList.as_view(), name="inventory-list"),
    path("inventory/release", Release.as_view(), name="release"),
    path("inventory/extend", Extend.as_view(), name="extend"),
    path("inventory/reports/reservations", ReservationReport.as_view(), name="reservation-report"),
    path("inventory/reports/movements", MovementReport.as_view(), name="movement-report"),
    path("inventory/<code:book_id>", Inventory.as_view(), name="inventory"),
    path("inventory/<code:book_id>/events", StockEvents.as_view(), name="stock-events"),
    path("inventory/<code:book_id>/add_stock", AddStock.as_view(), name="add-stock"),
    path("inventory/<code:book_id>/adjust", AdjustStock.as_view(), name="adjust-stock"),
]
