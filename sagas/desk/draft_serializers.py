"""Requests of drafts; and orders and drafts as they are read."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.aliases import Wrapper
from cloudmart.api.examples import response_example
from cloudmart.api.fields import PaymentTokenField, QuantityField, SharedFields, StrictSerializer
from orders.serializers import OrderOutput
from sagas.desk.draft_view import DraftView
from sagas.desk.examples import CONFIRMATIONS, DRAFT_CHANGES, DRAFTS, ORDER_WITH_PARCEL, QUANTITY
from sagas.desk.serializers import BuyerInput, CouponField, OrderOptionsInput, PriceField
from shipping.models import Status as ParcelStatus


@extend_schema_serializer(examples=DRAFTS)
class DraftInput(BuyerInput):
    """A new draft, without books."""


@extend_schema_serializer(examples=DRAFT_CHANGES)
class DraftChangesInput(OrderOptionsInput):
    """The fields to change; null removes the coupon."""

    coupon = CouponField(required=False, allow_null=True)


@extend_schema_serializer(examples=CONFIRMATIONS)
class ConfirmInput(OrderOptionsInput):
    """The payment token, and the fields to change before the draft is placed."""

    payment_token = PaymentTokenField(required=False)


@extend_schema_serializer(examples=QUANTITY)
class QuantityInput(StrictSerializer):
    wrapper = Wrapper.ORDER_ITEM

    quantity = QuantityField()
    price = PriceField()


class ParcelOutput(SharedFields):
    status = serializers.ChoiceField(ParcelStatus.choices)
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()
    shipped_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(examples=[response_example("On its way", ORDER_WITH_PARCEL)])
class OrderDetailOutput(OrderOutput):
    """An order with its parcel; a draft with its reservations. Renders a DraftView."""

    parcel = ParcelOutput(allow_null=True, default=None, read_only=True)

    def to_representation(self, view: DraftView) -> dict[str, Any]:
        body = super().to_representation(view.order)
        render = serializers.DateTimeField().to_representation
        for item, line in zip(body["items"], view.order.lines, strict=True):
            until = view.held_until(line)
            item["held_until"] = render(until) if until else None
        body["expired_books"] = view.expired_books
        body["parcel"] = ParcelOutput(view.parcel).data if view.parcel else None
        return body
