"""What crosses the line between HTTP and the sagas."""

import re
from typing import Any

from django.conf import settings
from rest_framework import serializers

from cloudmart.api.fields import StrictIntegerField, StrictSerializer
from cloudmart.api.viewers import customer_of, sees_everything
from cloudmart.kernel.facts import Address
from orders.errors import UnknownCustomer
from orders.models import Customer, PaymentMethod, SagaStyle
from orders.selectors import find_customer
from sagas.models import Event, SagaInstance, SagaStepLog
from sagas.placement import OrderRequest, WantedLine

POSTAL_CODE = re.compile(r"\d{3}-\d{4}", re.ASCII)
ADDRESS = serializers.CharField(max_length=500, allow_blank=True)


class QuantityField(StrictIntegerField):
    """Copies of one book in one line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=settings.MAX_QUANTITY_PER_LINE, **kwargs)


class ItemInput(StrictSerializer):
    book_id = serializers.CharField(max_length=64)
    quantity = QuantityField()
    price = StrictIntegerField(
        required=False, min_value=0, help_text="The price you expect, in minor units; refused when it has changed"
    )


class AddressField(serializers.Field[Any, Any, Any, Any]):
    """Either one string with a postal code in it (〒150-0001 …), or an object with `postal_code` and `address`."""

    default_error_messages = {
        "form": "Give a string, or an object with postal_code and address.",
        "postal_code": "There is no postal code like 150-0001 in it.",
    }

    def to_internal_value(self, data: Any) -> Address:
        if isinstance(data, dict) and set(data) <= {"postal_code", "address"}:
            code, text = data.get("postal_code", ""), data.get("address", "")
        else:
            code, text = data, data
        if not isinstance(code, str) or not isinstance(text, str):
            self.fail("form")
        found = POSTAL_CODE.search(code)
        if not found:
            self.fail("postal_code")
        return Address(found[0], ADDRESS.run_validation(text))


class OrderInput(StrictSerializer):
    """An order: `items`, or the short form with one `book_id`, `quantity` and `price`."""

    customer_id = serializers.CharField(max_length=64, required=False)
    items = serializers.ListField(
        child=ItemInput(), required=False, allow_empty=False, max_length=settings.MAX_LINES_PER_ORDER
    )
    book_id = serializers.CharField(max_length=64, required=False)
    quantity = QuantityField(required=False)
    price = StrictIntegerField(required=False, min_value=0)
    payment_method = serializers.ChoiceField(PaymentMethod.choices)
    payment_token = serializers.CharField(max_length=128, required=False, default="")
    shipping_address = AddressField(required=False)
    region = serializers.RegexField(r"^[A-Z]{2}$", required=False, help_text="ISO 3166-1 alpha-2; decides the tax")
    coupon = serializers.CharField(max_length=32, required=False, default="")
    saga = serializers.ChoiceField(SagaStyle.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        short = {name: attrs.pop(name) for name in ("book_id", "quantity", "price") if name in attrs}
        if "items" in attrs:
            if short:
                raise serializers.ValidationError({name: ["Give either this or items."] for name in short})
        elif missing := {"book_id", "quantity"} - short.keys():
            raise serializers.ValidationError({name: ["Give this, or items."] for name in sorted(missing)})
        else:
            attrs["items"] = [short]
        return attrs

    def as_request(self, style: str | None = None) -> OrderRequest:
        """What is asked for, with what was left open filled in. Raises UnknownCustomer and ValidationError."""
        asked = self.validated_data
        return OrderRequest(
            customer=self._buyer(asked.get("customer_id")),
            items=tuple(WantedLine(**item) for item in asked["items"]),
            payment_method=asked["payment_method"],
            payment_token=asked["payment_token"],
            address=asked.get("shipping_address"),
            region=asked.get("region", settings.HOME_REGION),
            coupon=asked["coupon"],
            saga_style=style or asked.get("saga", settings.SAGA_STYLE),
        )

    def _buyer(self, customer_id: str | None) -> Customer:
        """Only operators order for others; to everybody else there are no others."""
        user = self.context["request"].user
        own = customer_of(user)
        if own and customer_id in {None, own.pk}:
            return own
        if customer_id is None:
            raise serializers.ValidationError({"customer_id": ["You are no customer: say for whom you order."]})
        if not sees_everything(user):
            raise UnknownCustomer(customer_id=customer_id)
        return find_customer(customer_id)


class CancelInput(StrictSerializer):
    reason = serializers.CharField(max_length=200, required=False, default="The customer has cancelled.")


class NoInput(StrictSerializer):
    """A command that says all in its path."""


class StepOutput(serializers.ModelSerializer[SagaStepLog]):
    class Meta:
        model = SagaStepLog
        fields = ["seq", "step", "direction", "attempt", "status", "state", "error", "started", "finished"]


class EventOutput(serializers.ModelSerializer[Event]):
    class Meta:
        model = Event
        fields = ["seq", "event_type", "payload", "timestamp", "causation_id", "delivered_at"]


class SagaOutput(serializers.ModelSerializer[SagaInstance]):
    saga_id = serializers.UUIDField(source="id")
    style = serializers.CharField(source="saga_type")  # type: ignore[assignment]

    class Meta:
        model = SagaInstance
        fields = ["saga_id", "order_id", "style", "status", "current_step", "failure", "attention"]


class SagaStatusOutput(serializers.Serializer[Any]):
    saga = SagaOutput()
    history = serializers.ListField(child=serializers.CharField())
    steps = StepOutput(many=True)
    events = EventOutput(many=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        told = super().to_representation(instance)
        saga: SagaInstance = instance["saga"]
        times = {"started_at": saga.created_at, "finished_at": saga.finished_at}
        return {**told.pop("saga"), **times, **told}
