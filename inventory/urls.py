from django.urls import path

from inventory.views import AddStock, AdjustStock, Extend, Inventory, InventoryList, Release, Reserve, StockEvents

urlpatterns = [
    path("inventory", InventoryList.as_view(), name="inventory-list"),
    path("inventory/reserve", Reserve.as_view(), name="reserve"),
    path("inventory/release", Release.as_view(), name="release"),
    path("inventory/extend", Extend.as_view(), name="extend"),
    path("inventory/<str:book_id>", Inventory.as_view(), name="inventory"),
    path("inventory/<str:book_id>/events", StockEvents.as_view(), name="stock-events"),
    path("inventory/<str:book_id>/add_stock", AddStock.as_view(), name="add-stock"),
    path("inventory/<str:book_id>/adjust", AdjustStock.as_view(), name="adjust-stock"),
]
