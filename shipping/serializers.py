"""Parcels in the API."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.addresses import AddressField
from cloudmart.api.examples import WHOLE_ORDER, response_example
from cloudmart.api.failures import FailureField
from cloudmart.api.fields import CodeField, StrictSerializer, StrictUUIDField
from shipping.examples import PARCEL, PARCEL_EXAMPLE
from shipping.models import Shipment


@extend_schema_serializer(examples=[PARCEL])
class ArrangeInput(StrictSerializer):
    order_id = StrictUUIDField()
    shipping_address = AddressField()
    customer_id = CodeField(required=False, help_text="Who may look at the parcel besides operators")


@extend_schema_serializer(examples=[WHOLE_ORDER])
class CancelParcelInput(StrictSerializer):
    order_id = StrictUUIDField()


class ParcelAddressOutput(serializers.Serializer[Shipment]):
    postal_code = serializers.CharField()
    address = serializers.CharField()
    country = serializers.CharField()


@extend_schema_serializer(examples=[response_example("On its way", PARCEL_EXAMPLE)])
class ShipmentOutput(serializers.ModelSerializer[Shipment]):
    shipment_id = serializers.UUIDField(source="id")
    failure = FailureField(source="failure_as_json", help_text="Why the provider has refused it, if it has")
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
            "shipped_at",
            "delivered_at",
            "failure",
            "created_at",
            "updated_at",
        ]
