from django.urls import path

from inventory.views import Inventory

urlpatterns = [path("inventory/<str:book_id>", Inventory.as_view(), name="inventory")]
