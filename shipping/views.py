"""Looking at parcels."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics

from shipping.models import Shipment
from shipping.selectors import find_shipment
from shipping.serializers import ShipmentOutput


@extend_schema_view(get=extend_schema(summary="Look at an order's parcel"))
class ShipmentDetail(generics.RetrieveAPIView[Shipment]):
    """GET: the order's newest parcel."""

    serializer_class = ShipmentOutput

    def get_object(self) -> Shipment:
        return find_shipment(self.kwargs["order_id"], self.request.user)
