from django.urls import path

from shipping.views import ShipmentDetail

urlpatterns = [path("shipping/<uuid:order_id>", ShipmentDetail.as_view(), name="shipment")]
