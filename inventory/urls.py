from django.urls import path

from inventory.views import Inventory, InventoryList

urlpatterns = [
    path("inventory", InventoryList.as_view(), name="inventory-list"),
    path("inventory/<str:book_id>", Inventory.as_view(), name="inventory"),
]
