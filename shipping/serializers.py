"""A parcel as the API shows it."""

from typing import Any

from rest_framework import serializers

from shipping.models import Shipment


class ShipmentOutput(serializers.ModelSerializer[Shipment]):
    shipment_id = serializers.UUIDField(source="id")
    address = serializers.SerializerMethodField()

    class Meta:
        model = Shipment
        fields = [
            "shipment_id",
            "order_id",
            "status",
            "carrier",
            "tracking_number",
            "address",
            "failure",
            "created_at",
            "updated_at",
        ]

    def get_address(self, shipment: Shipment) -> dict[str, Any]:
        return {"postal_code": shipment.postal_code, "address": shipment.address}
