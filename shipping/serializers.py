"""A parcel as the API shows it."""

from rest_framework import serializers

from shipping.models import Shipment


class ParcelAddressOutput(serializers.Serializer[Shipment]):
    postal_code = serializers.CharField()
    address = serializers.CharField()


class ShipmentOutput(serializers.ModelSerializer[Shipment]):
    shipment_id = serializers.UUIDField(source="id")
    address = ParcelAddressOutput(source="*", read_only=True)

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
