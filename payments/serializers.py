"""A payment as the API shows it."""

from rest_framework import serializers

from payments.models import Payment, Refund


class RefundOutput(serializers.ModelSerializer[Refund]):
    refund_id = serializers.UUIDField(source="id")

    class Meta:
        model = Refund
        fields = ["refund_id", "amount", "status", "transaction_id", "created_at"]


class PaymentOutput(serializers.ModelSerializer[Payment]):
    payment_id = serializers.UUIDField(source="id")
    refunds = RefundOutput(many=True)

    class Meta:
        model = Payment
        fields = [
            "payment_id",
            "order_id",
            "amount",
            "payment_method",
            "status",
            "transaction_id",
            "failure",
            "refunds",
            "created_at",
            "updated_at",
        ]
