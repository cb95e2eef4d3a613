"""An order as the API shows it."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from orders.models import Order, OrderItem


class OrderItemOutput(serializers.ModelSerializer[OrderItem]):
    class Meta:
        model = OrderItem
        fields = ["book_id", "title", "unit_price", "quantity", "line_total"]


class OrderOutput(serializers.ModelSerializer[Order]):
    order_id = serializers.UUIDField(source="id")
    customer_id = serializers.CharField()
    items = OrderItemOutput(many=True)
    currency = serializers.SerializerMethodField()
    shipping_address = serializers.SerializerMethodField()
    saga = serializers.CharField(source="saga_style")

    class Meta:
        model = Order
        fields = [
            "order_id",
            "customer_id",
            "status",
            "items",
            "subtotal",
            "discount",
            "tax",
            "total",
            "currency",
            "region",
            "coupon",
            "payment_method",
            "shipping_address",
            "saga",
            "cancel_reason",
            "created_at",
            "updated_at",
        ]

    def get_currency(self, order: Order) -> str:
        return str(settings.CURRENCY)

    def get_shipping_address(self, order: Order) -> dict[str, Any]:
        return {"postal_code": order.postal_code, "address": order.address}
