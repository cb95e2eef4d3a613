"""Parcels as operators see them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet

from cloudmart.api.admin import ReadOnlyAdmin
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.transactions import durable
from shipping.models import Shipment
from shipping.services import hand_over


@admin.register(Shipment)
class ShipmentAdmin(ReadOnlyAdmin):
    list_display = ["id", "order_id", "status", "carrier", "tracking_number", "postal_code", "created_at"]
    list_filter = ["status", "carrier"]
    search_fields = ["id", "order_id", "tracking_number"]
    ordering = ["-id"]
    actions = ["hand_over_to_carrier"]

    @admin.action(description="The carrier has fetched the selected parcels")
    def hand_over_to_carrier(self, request: Any, parcels: QuerySet[Shipment]) -> None:
        for parcel in parcels:
            try:
                durable(hand_over)(parcel.order_id)
            except DomainError as refusal:
                self.message_user(request, f"{parcel}: {refusal.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{parcel.order_id} is on its way.", messages.SUCCESS)
