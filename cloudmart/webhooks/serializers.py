"""Endpoints and deliveries as the API reads and shows them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import response_example
from cloudmart.api.fields import PatternField, SharedFields, StrictSerializer, TextField
from cloudmart.outbox.types import EventType
from cloudmart.webhooks import examples
from cloudmart.webhooks.models import LONGEST_URL, DeliveryStatus, EndpointStatus, WebhookDelivery
from cloudmart.webhooks.registration import SUBSCRIBABLE, chosen
from cloudmart.webhooks.selectors import headers_of

URL = r"^https?://[\x21-\x7e]+\Z"


class URLField(PatternField):
    default_error_messages = {"invalid": "Give a URL that begins with https://."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(URL, max_length=LONGEST_URL, **kwargs)


class EventTypesField(serializers.MultipleChoiceField):
    """The types that an endpoint receives; empty: all."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[each.value for each in SUBSCRIBABLE], help_text="Empty: all of them", **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if unknown := [each for each in data if each not in SUBSCRIBABLE]:
            self.fail("invalid_choice", input=unknown[0])
        return chosen(data)


@extend_schema_serializer(examples=examples.NEW_ENDPOINT)
class NewEndpointInput(StrictSerializer):
    url = URLField()
    description = TextField(max_length=200, allow_blank=True, required=False, default="")
    event_types = EventTypesField(required=False, default=list)


@extend_schema_serializer(examples=examples.CHANGES)
class EndpointChangesInput(StrictSerializer):
    url = URLField(required=False)
    description = TextField(max_length=200, allow_blank=True, required=False)
    event_types = EventTypesField(required=False)


@extend_schema_serializer(examples=examples.DISABLING)
class DisableInput(StrictSerializer):
    reason = TextField(max_length=200, required=False, default="")


@extend_schema_serializer(examples=[response_example("An endpoint", examples.ENDPOINT_EXAMPLE)])
class EndpointOutput(SharedFields):
    """An endpoint, without its secret."""

    endpoint_id = serializers.UUIDField(source="pk")
    url = serializers.CharField()
    description = serializers.CharField()
    event_types = serializers.ListField(
        child=serializers.ChoiceField([each.value for each in SUBSCRIBABLE]), help_text="Empty: all of them"
    )
    status = serializers.ChoiceField(EndpointStatus.choices)
    disabled_reason = serializers.CharField()
    disabled_at = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="Since when it has accepted no webhook; null if it accepts them"
    )
    failures = serializers.IntegerField(help_text="Attempts in a row that have failed")
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before the last rotation signs too"
    )
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()


@extend_schema_serializer(examples=[response_example("An endpoint", examples.WITH_SECRET_EXAMPLE)])
class EndpointWithSecretOutput(EndpointOutput):
    """An endpoint with its secret, which no other response contains."""

    secret = serializers.CharField(help_text="Keep it: it is not shown again")


@extend_schema_serializer(examples=[response_example("A delivery", examples.DELIVERY_EXAMPLE)])
class DeliveryOutput(SharedFields):
    """One event for one endpoint."""

    delivery_id = serializers.UUIDField(source="pk")
    endpoint_id = serializers.UUIDField()
    event_id = serializers.UUIDField(help_text="The webhook-id")
    event_type = serializers.ChoiceField(EventType.choices)
    subject = serializers.CharField(help_text="The id of the order, or the book's code")
    status = serializers.ChoiceField(DeliveryStatus.choices)
    attempts = serializers.IntegerField(help_text="Since it was recorded, or resent")
    next_attempt_at = serializers.SerializerMethodField()
    retry_until = serializers.DateTimeField()
    resends = serializers.IntegerField(help_text="How often an operator has had it sent again")
    created_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_attempt_at(self, delivery: WebhookDelivery) -> Any:
        return delivery.due_at if delivery.status == DeliveryStatus.PENDING else None


class AttemptOutput(SharedFields):
    """One request, and the response to it."""

    at = serializers.DateTimeField()
    milliseconds = serializers.IntegerField()
    status_code = serializers.IntegerField(allow_null=True, help_text="Null: there was no response")
    response = serializers.CharField(help_text="The beginning of the response's body")
    error = serializers.CharField(help_text="Why the attempt has failed")


class HeaderOutput(SharedFields):
    name = serializers.CharField()
    value = serializers.CharField()


@extend_schema_serializer(examples=[response_example("A delivery", examples.DELIVERY_DETAIL_EXAMPLE)])
class DeliveryDetailOutput(DeliveryOutput):
    """A delivery with what is sent, and each attempt."""

    headers = serializers.SerializerMethodField(
        help_text="Of every attempt. Each has a `webhook-timestamp`, its `at`, and a signature of that, too"
    )
    body = serializers.CharField(help_text="The request's body, byte for byte")
    log = AttemptOutput(many=True)

    @extend_schema_field(HeaderOutput(many=True))
    def get_headers(self, delivery: WebhookDelivery) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in headers_of(delivery).items()]
