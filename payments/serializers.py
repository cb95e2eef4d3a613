"""Payments in the API."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import WHOLE_ORDER, response_example
from cloudmart.api.failures import FailureField
from cloudmart.api.fields import (
    CodeField,
    PaymentTokenField,
    StrictIntegerField,
    StrictSerializer,
    StrictUUIDField,
    TextField,
)
from cloudmart.kernel.order import PaymentMethod
from payments.examples import CHARGE, PAYMENT_EXAMPLE, REFUNDS
from payments.models import Payment, Refund

AMOUNT: dict[str, Any] = {"min_value": 1, "max_value": 10**12, "help_text": "In minor units"}


@extend_schema_serializer(examples=[CHARGE])
class ProcessInput(StrictSerializer):
    order_id = StrictUUIDField()
    amount = StrictIntegerField(**AMOUNT)
    payment_method = serializers.ChoiceField(PaymentMethod.choices)
    payment_token = PaymentTokenField(required=False)
    customer_id = CodeField(
        required=False,
        help_text="Who may look at the payment besides operators, and whose wallet pays e-money without a token",
    )


@extend_schema_serializer(examples=[WHOLE_ORDER])
class CancelPaymentInput(StrictSerializer):
    order_id = StrictUUIDField()


@extend_schema_serializer(examples=REFUNDS)
class RefundInput(StrictSerializer):
    order_id = StrictUUIDField()
    amount = StrictIntegerField(**AMOUNT, required=False)
    reference = CodeField(required=False, help_text="Your name for this refund, which is made once")
    reason = TextField(max_length=200, required=False)


class RefundOutput(serializers.ModelSerializer[Refund]):
    refund_id = serializers.UUIDField(source="id")
    reference = serializers.CharField(help_text="As it was requested; `:saga` if the order was undone")

    class Meta:
        model = Refund
        fields = ["refund_id", "reference", "amount", "reason", "status", "transaction_id", "created_at"]


@extend_schema_serializer(examples=[response_example("A part was refunded", PAYMENT_EXAMPLE)])
class PaymentOutput(serializers.ModelSerializer[Payment]):
    payment_id = serializers.UUIDField(source="id")
    failure = FailureField(source="failure_as_json", help_text="Why the provider has refused it, if it has")
    refunds = RefundOutput(many=True)

    class Meta:
        model = Payment
        fields = [
            "payment_id",
            "order_id",
            "amount",
            "refunded_amount",
            "payment_method",
            "status",
            "transaction_id",
            "failure",
            "refunds",
            "created_at",
            "updated_at",
        ]
