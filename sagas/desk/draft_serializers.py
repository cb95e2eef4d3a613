"""What crosses the line between HTTP and a draft."""

from drf_spectacular.utils import extend_schema_serializer

from cloudmart.api.examples import CONFIRMATIONS, DRAFT_CHANGES, DRAFTS, QUANTITY
from cloudmart.api.fields import CodeField, PaymentTokenField, QuantityField, StrictIntegerField, StrictSerializer
from sagas.desk.serializers import CouponField, OrderOptionsInput


@extend_schema_serializer(examples=DRAFTS)
class DraftInput(OrderOptionsInput):
    """An order without books yet."""

    customer_id = CodeField(
        required=False, help_text="For staff who may place orders for others; customers order for themselves"
    )


@extend_schema_serializer(examples=DRAFT_CHANGES)
class DraftChangesInput(OrderOptionsInput):
    """What is to be different; null takes the coupon out."""

    coupon = CouponField(required=False, allow_null=True)


@extend_schema_serializer(examples=CONFIRMATIONS)
class ConfirmInput(OrderOptionsInput):
    """What pays, and whatever is to be different from the draft."""

    payment_token = PaymentTokenField(required=False)


@extend_schema_serializer(examples=QUANTITY)
class QuantityInput(StrictSerializer):
    quantity = QuantityField()
    price = StrictIntegerField(
        required=False, min_value=0, help_text="The price you expect, in minor units; refused when it has changed"
    )
