"""Reading an order's parcel, and the direct commands on it: for operators, or another order system."""

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
@extend_schema_view(get=extend_schema(summary="Read an order's parcel"))
class ShipmentDetail(generics.RetrieveAPIView[Shipment]):
    """GET: the order's parcel."""

    serializer_class = ShipmentOutput

    def get_object(self) -> Shipment:
        return find_shipment(self.kwargs["order_id"], self.request.user)


class ArrangeShipping(OrderCommand):
    permission_classes = [Staff.with_permission("shipping.arrange_shipment")]

    @extend_schema(
        summary="Arrange the delivery of an order's parcel",
        request=ArrangeInput,
        responses={200: ShipmentOutput, 202: ShipmentOutput},
    )
    @refuses(ShippingFailed, ShipmentDiffers, IllegalMove)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. An order has one parcel. 202: the outcome is not certain yet; send the request again."""
        body = ArrangeInput.read(request)
        return response_with(direct.arrange(direct.Parcel(address=body.pop("shipping_address"), **body), self.guard))


class CancelShipping(OrderCommand):
    permission_classes = [Staff.with_permission("shipping.cancel_shipment")]

    @extend_schema(
        summary="Cancel the delivery of an order's parcel",
        request=CancelParcelInput,
        responses={200: ShipmentOutput, 202: ShipmentOutput},
    )
    @refuses(AlreadyShipped)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. An order without a parcel gets a cancelled one, so that none is ever sent."""
        body = CancelParcelInput.read(request)
        return response_with(direct.cancel(body["order_id"], self.guard))


def response_with(shipment: Shipment) -> Response:
    """The parcel; 202 while it is not settled."""
    return Response(ShipmentOutput(shipment).data, 202 if shipment.status in UNSETTLED else 200)
