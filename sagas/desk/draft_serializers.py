"""Requests and responses of drafts."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.aliases import Wrapper
from cloudmart.api.examples import CONFIRMATIONS, DRAFT_CHANGES, DRAFTS, QUANTITY
from cloudmart.api.fields import PaymentTokenField, QuantityField, StrictSerializer
from orders.serializers import OrderOutput
from sagas.desk.draft_view import DraftView
from sagas.desk.serializers import BuyerInput, CouponField, OrderOptionsInput, PriceField


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


class DraftOutput(OrderOutput):
    """Renders a DraftView as OrderOutput renders an order, with the reservations of a draft."""

    def to_representation(self, view: DraftView) -> dict[str, Any]:
        body = super().to_representation(view.order)
        render = serializers.DateTimeField().to_representation
        for item, line in zip(body["items"], view.order.lines, strict=True):
            until = view.held_until(line)
            item["held_until"] = render(until) if until else None
        body["expired_books"] = view.expired_books
        return body
