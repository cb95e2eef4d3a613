"""Looking at parcels; and what operators, or another order system, ask of shipping by themselves."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.api.commands import OrderCommand
from cloudmart.api.idempotency import idempotent
from cloudmart.api.permissions import Staff
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import IllegalMove
from shipping import direct
from shipping.errors import AlreadyShipped, ShipmentDiffers, ShipmentNotFound, ShippingFailed
from shipping.models import Shipment, Status
from shipping.selectors import find_shipment
from shipping.serializers import ArrangeInput, CancelParcelInput, ShipmentOutput

UNSETTLED = {Status.PENDING, Status.CANCELLING}


@refuses(ShipmentNotFound)
@extend_schema_view(get=extend_schema(summary="Look at an order's parcel"))
class ShipmentDetail(generics.RetrieveAPIView[Shipment]):
    """GET: the order's newest parcel."""

    serializer_class = ShipmentOutput

    def get_object(self) -> Shipment:
        return find_shipment(self.kwargs["order_id"], self.request.user)


class ArrangeShipping(OrderCommand):
    permission_classes = [Staff.with_permission("shipping.arrange_shipment")]

    @extend_schema(
        summary="Have an order's parcel fetched",
        request=ArrangeInput,
        responses={200: ShipmentOutput, 202: ShipmentOutput},
    )
    @refuses(ShippingFailed, ShipmentDiffers, IllegalMove)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. Once for each order. 202: the carrier gave no sure answer; send it again."""
        asked = ArrangeInput.read(request)
        return told(direct.arrange(direct.Parcel(address=asked.pop("shipping_address"), **asked), self.guard))


class CancelShipping(OrderCommand):
    permission_classes = [Staff.with_permission("shipping.cancel_shipment")]

    @extend_schema(
        summary="Call an order's parcel off",
        request=CancelParcelInput,
        responses={200: ShipmentOutput, 202: ShipmentOutput},
    )
    @refuses(AlreadyShipped)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. An order that has no parcel is noted as cancelled, and never gets one."""
        asked = CancelParcelInput.read(request)
        return told(direct.cancel(asked["order_id"], self.guard))


def told(shipment: Shipment) -> Response:
    """The parcel; 202 while the carrier has not surely answered."""
    return Response(ShipmentOutput(shipment).data, 202 if shipment.status in UNSETTLED else 200)
