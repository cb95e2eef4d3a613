"""Webhook endpoints and deliveries over HTTP. Operators read them; each change needs its permission."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from cloudmart.api.commands import NoInput, TransactionCommand, described
from cloudmart.api.fields import StrictSerializer
from cloudmart.api.idempotency import idempotent_transaction
from cloudmart.api.lists import StaleList
from cloudmart.api.pagination import CursorPages, NumberedPages
from cloudmart.api.permissions import IsOperator, Staff, StaffMayRead, check_permission
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.viewers import actor_of
from cloudmart.webhooks import endpoints
from cloudmart.webhooks.errors import DeliveryNotFound, EndpointNotFound, InvalidEndpoint
from cloudmart.webhooks.filters import DeliveryFilter, EndpointFilter
from cloudmart.webhooks.models import WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.recording import record_test
from cloudmart.webhooks.registration import change, register, remove
from cloudmart.webhooks.selectors import find_delivery, find_endpoint
from cloudmart.webhooks.serializers import (
    DeliveryDetailOutput,
    DeliveryOutput,
    DisableInput,
    EndpointChangesInput,
    EndpointOutput,
    EndpointWithSecretOutput,
    NewEndpointInput,
)

ADD, CHANGE, DELETE = (f"cloudmart.{verb}_webhookendpoint" for verb in ("add", "change", "delete"))
ROTATE, TEST, RESEND = "cloudmart.rotate_secret", "cloudmart.send_test", "cloudmart.resend_delivery"


@extend_schema_view(get=extend_schema(summary="List the webhook endpoints, newest first"))
class Endpoints(StaleList[WebhookEndpoint]):
    """For operators. Their secrets are not shown."""

    permission_classes = [StaffMayRead.with_permission(ADD)]
    serializer_class = EndpointOutput
    pagination_class = NumberedPages
    filterset_class = EndpointFilter
    queryset = WebhookEndpoint.objects.all()
    ordering_fields = ("id",)
    ordering = ("-id",)

    @extend_schema(
        summary="Register a webhook endpoint", request=NewEndpointInput, responses={201: EndpointWithSecretOutput}
    )
    @refuses(InvalidEndpoint)
    @idempotent_transaction
    def post(self, request: Request) -> Response:
        """For operators. Events that are recorded from now on are sent to it.

        The `secret` signs them, and is in this response only.
        """
        endpoint = WebhookEndpoint(**NewEndpointInput.read(request))
        register(endpoint, actor_of(request.user))
        location = f"/webhooks/endpoints/{endpoint.pk}"
        return Response(EndpointWithSecretOutput(endpoint).data, 201, headers={"Location": location})


class ChangesEndpoint(StaffMayRead):
    """Allows all operators to read. Changing and deleting each need a permission."""

    permission = CHANGE

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method != "DELETE":
            return super().has_permission(request, view)
        if not IsOperator.has_permission(self, request, view):
            return False
        check_permission(request.user, DELETE)
        return True


class OneEndpoint(APIView):
    permission_classes = [ChangesEndpoint]

    @extend_schema(summary="Look at a webhook endpoint", responses=EndpointOutput)
    @refuses(EndpointNotFound)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """For operators. Its secret is not shown."""
        return Response(EndpointOutput(find_endpoint(endpoint_id)).data)

    @extend_schema(summary="Change a webhook endpoint", request=EndpointChangesInput, responses=EndpointOutput)
    @refuses(EndpointNotFound, InvalidEndpoint)
    @idempotent_transaction
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """For operators. What is recorded already is sent to the new URL; other types are for later events."""
        endpoint = find_endpoint(endpoint_id)
        change(endpoint, EndpointChangesInput.read(request))  # type: ignore[arg-type]
        return Response(EndpointOutput(endpoint).data)

    @extend_schema(summary="Delete a webhook endpoint", responses={204: None})
    @refuses(EndpointNotFound)
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        """For operators. Its deliveries and their log are deleted with it: to keep them, disable it instead."""
        remove(find_endpoint(endpoint_id).pk)
        return Response(status=204)


class EndpointCommand(TransactionCommand):
    """A command on one endpoint."""

    input: ClassVar[type[StrictSerializer]] = NoInput
    output: ClassVar[type[BaseSerializer[Any]]] = EndpointOutput


@described("Rotate the secret of a webhook endpoint", EndpointNotFound)
class RotateSecret(EndpointCommand):
    """For operators. The new `secret` is in this response only.

    Webhooks are signed with the new and the previous one until `previous_secret_until`.
    """

    permission_classes = [Staff.with_permission(ROTATE)]
    output = EndpointWithSecretOutput

    def act(self, asked: dict[str, Any], actor: str, endpoint_id: UUID) -> WebhookEndpoint:
        endpoint = find_endpoint(endpoint_id)
        endpoints.rotate_secret(endpoint)
        return endpoint


@described("Enable a webhook endpoint", EndpointNotFound, IllegalMove)
class EnableEndpoint(EndpointCommand):
    """For operators. It gets the events from now on. Those of the time when it was disabled are not sent."""

    permission_classes = [Staff.with_permission(CHANGE)]

    def act(self, asked: dict[str, Any], actor: str, endpoint_id: UUID) -> WebhookEndpoint:
        endpoint = find_endpoint(endpoint_id)
        endpoints.enable(endpoint)
        return endpoint


@described("Disable a webhook endpoint", EndpointNotFound, IllegalMove)
class DisableEndpoint(EndpointCommand):
    """For operators. No event is sent to it or kept for it, and what is pending fails."""

    permission_classes = [Staff.with_permission(CHANGE)]
    input = DisableInput

    def act(self, asked: dict[str, Any], actor: str, endpoint_id: UUID) -> WebhookEndpoint:
        endpoint = find_endpoint(endpoint_id)
        endpoints.disable(endpoint, asked["reason"])
        return endpoint


@described("Send a test event to a webhook endpoint", EndpointNotFound, IllegalMove)
class TestEndpoint(EndpointCommand):
    """For operators. A worker sends it within seconds: see `GET /webhooks/deliveries/{delivery_id}`."""

    permission_classes = [Staff.with_permission(TEST)]
    output = DeliveryOutput

    def act(self, asked: dict[str, Any], actor: str, endpoint_id: UUID) -> WebhookDelivery:
        return record_test(find_endpoint(endpoint_id))


@extend_schema_view(get=extend_schema(summary="List the deliveries of webhooks, newest first"))
class Deliveries(StaleList[WebhookDelivery]):
    """For operators. What was sent, and each attempt, is under `/webhooks/deliveries/{delivery_id}`."""

    permission_classes = [IsOperator]
    serializer_class = DeliveryOutput
    pagination_class = CursorPages
    filterset_class = DeliveryFilter
    queryset = WebhookDelivery.objects.defer("body")
    ordering_fields = ("id",)
    ordering = ("-id",)


class OneDelivery(APIView):
    permission_classes = [IsOperator]

    @extend_schema(summary="Look at the delivery of a webhook", responses=DeliveryDetailOutput)
    @refuses(DeliveryNotFound)
    def get(self, request: Request, delivery_id: UUID) -> Response:
        """For operators. The request, and each response to it."""
        return Response(DeliveryDetailOutput(find_delivery(delivery_id)).data)


@described("Resend a webhook", DeliveryNotFound, IllegalMove)
class ResendDelivery(TransactionCommand):
    """For operators. A worker sends it once more, with the same `webhook-id`. One that is pending is sent anyway."""

    permission_classes = [Staff.with_permission(RESEND)]
    input, output = NoInput, DeliveryOutput

    def act(self, asked: dict[str, Any], actor: str, delivery_id: UUID) -> WebhookDelivery:
        endpoints.resend(find_delivery(delivery_id).pk)
        return find_delivery(delivery_id)
