"""The webhook with which the carrier reports what becomes of a parcel."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.fields import CodeField
from cloudmart.api.schema import refuses
from cloudmart.api.webhooks import PARAMETERS, InvalidSignature, Signed
from cloudmart.kernel.errors import IllegalMove
from sagas.errors import SagaRunning
from sagas.operations.examples import CARRIER_EVENTS
from sagas.operations.parcels import MARKS
from shipping.carriers.reports import Progress
from shipping.errors import ShipmentNotFound
from shipping.selectors import order_of_parcel

TYPES = {f"parcel.{progress}": progress for progress in Progress}
"""What the events that concern us report."""


class ParcelInput(serializers.Serializer[Any]):
    parcel_key = CodeField(help_text="The Idempotency-Key with which the shop has arranged the delivery")


@extend_schema_serializer(examples=CARRIER_EVENTS)
class CarrierEventInput(serializers.Serializer[Any]):
    """An event of the carrier. Further members are ignored."""

    type = serializers.ChoiceField(list(TYPES))
    timestamp = serializers.DateTimeField(help_text="When it has happened")
    data = ParcelInput()  # type: ignore[assignment]


class CarrierWebhook(APIView):
    authentication_classes = [Signed.by("carrier", "CARRIER_WEBHOOK_SECRET")]
    permission_classes = [AllowAny]

    @extend_schema(
        summary="Report that a parcel was shipped or delivered",
        parameters=PARAMETERS,
        request=CarrierEventInput,
        responses={204: None},
        auth=[],
    )
    @refuses(InvalidSignature, ShipmentNotFound, SagaRunning, IllegalMove)
    def post(self, request: Request) -> Response:
        """For the carrier, who signs the request by the Standard Webhooks scheme instead of sending a token.

        204: it is recorded, or was before, or another type of event, which is ignored. Anything else: send it again
        later. An event may come twice, and the events of a parcel in any order.
        """
        if isinstance(request.data, dict) and is_of_other_type(request.data.get("type")):
            return Response(status=204)
        event = CarrierEventInput(data=request.data)
        event.is_valid(raise_exception=True)
        asked = event.validated_data
        order_id = order_of_parcel(asked["data"]["parcel_key"])
        MARKS[TYPES[asked["type"]]](order_id, asked["timestamp"])
        return Response(status=204)


def is_of_other_type(name: Any) -> bool:
    return isinstance(name, str) and name not in TYPES
