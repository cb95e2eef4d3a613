"""Reading an order's parcel, and the direct commands on it: for operators, or another order system."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics

from cloudmart.api.commands import ProviderCommand, described
from cloudmart.api.permissions import Staff
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import IllegalMove
from shipping import direct
from shipping.errors import AlreadyShipped, ShipmentDiffers, ShipmentNotFound, ShippingFailed
from shipping.models import Shipment
from shipping.selectors import find_shipment
from shipping.serializers import ArrangeInput, CancelParcelInput, ShipmentOutput


@refuses(ShipmentNotFound)
@extend_schema_view(get=extend_schema(summary="Read an order's parcel"))
class ShipmentDetail(generics.RetrieveAPIView[Shipment]):
    """GET: the order's parcel."""

    serializer_class = ShipmentOutput

    def get_object(self) -> Shipment:
        return find_shipment(self.kwargs["order_id"], self.request.user)


@described("Arrange the delivery of an order's parcel", ShippingFailed, ShipmentDiffers, IllegalMove)
class ArrangeShipping(ProviderCommand):
    """For operators. An order has one parcel. 202: the outcome is not certain yet; send the request again."""

    permission_classes = [Staff.with_permission("shipping.arrange_shipment")]
    input, output = ArrangeInput, ShipmentOutput

    def act(self, asked: dict[str, Any], first: Callable[[], None]) -> Shipment:
        return direct.arrange(direct.Parcel(address=asked.pop("shipping_address"), **asked), first)


@described("Cancel the delivery of an order's parcel", AlreadyShipped)
class CancelShipping(ProviderCommand):
    """For operators. An order without a parcel gets a cancelled one, so that none is ever sent."""

    permission_classes = [Staff.with_permission("shipping.cancel_shipment")]
    input, output = CancelParcelInput, ShipmentOutput

    def act(self, asked: dict[str, Any], first: Callable[[], None]) -> Shipment:
        return direct.cancel(asked["order_id"], first)
