"""Orders in responses."""

from django.conf import settings
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import response_example
from cloudmart.api.fields import SharedFields
from orders.examples import ORDER_EXAMPLE
from orders.models import Order, PaymentMethod, SagaStyle, Status


class OrderItemOutput(SharedFields):
    book_id = serializers.CharField()
    title = serializers.CharField()
    unit_price = serializers.IntegerField()
    quantity = serializers.IntegerField()
    line_total = serializers.IntegerField()
    held_until = serializers.DateTimeField(
        allow_null=True,
        default=None,
        read_only=True,
        help_text="Of a draft: the end of the reservation; null once it has expired",
    )


class AddressOutput(SharedFields):
    postal_code = serializers.CharField()
    address = serializers.CharField()
    country = serializers.CharField(source="region")


@extend_schema_serializer(examples=[response_example("One book", ORDER_EXAMPLE)])
class OrderOutput(SharedFields):
    """Amounts are in minor units of `currency`."""

    order_id = serializers.UUIDField(source="id")
    customer_id = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    items = OrderItemOutput(many=True, source="lines")
    expired_books = serializers.ListField(
        child=serializers.CharField(),
        default=list,
        read_only=True,
        help_text="Of a draft: the books that are no longer reserved",
    )
    subtotal = serializers.IntegerField()
    discount = serializers.IntegerField()
    tax = serializers.IntegerField()
    total = serializers.IntegerField()
    currency = serializers.SerializerMethodField()
    region = serializers.CharField()
    coupon = serializers.CharField()
    payment_method = serializers.ChoiceField(
        PaymentMethod.choices, allow_blank=True, help_text="Of a draft: blank if it will be the customer's own"
    )
    shipping_address = AddressOutput(source="*")
    saga = serializers.ChoiceField(SagaStyle.choices, source="saga_style")
    cancel_reason = serializers.CharField(help_text="Why it was cancelled, or returned; else empty")
    created_at = serializers.DateTimeField()

    def get_currency(self, order: Order) -> str:
        return str(settings.CURRENCY)
