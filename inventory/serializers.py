"""Requests and responses of the stock API."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import WHOLE_ORDER, response_example
from cloudmart.api.fields import (
    CodeField,
    QuantityField,
    StrictIntegerField,
    StrictSerializer,
    StrictUUIDField,
    TextField,
)
from cloudmart.api.short_form import short_form_rule, with_items
from inventory import examples
from inventory.models import Reservation

MOST_AT_ONCE = 1_000_000


@extend_schema_field(
    {"type": "integer", "minimum": -MOST_AT_ONCE, "maximum": MOST_AT_ONCE, "not": {"const": 0}, "examples": [-2]}
)
class DeltaField(StrictIntegerField):
    """The difference between the counted and the recorded copies, not zero."""

    default_error_messages = {"nothing": "The delta must not be zero."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=-MOST_AT_ONCE, max_value=MOST_AT_ONCE, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        delta = super().to_internal_value(data)
        if delta == 0:
            self.fail("nothing")
        return delta


SHORT_FORM = ("book_id", "quantity")
"""The members of a command on one book."""


class LineInput(StrictSerializer):
    book_id = CodeField()
    quantity = QuantityField()


@extend_schema_serializer(examples=[examples.HOLD_ONE_BOOK, examples.HOLD_IN_SHORT, examples.HOLD_FOR_FIVE_MINUTES])
class ReserveInput(StrictSerializer):
    """Reservations for an order: `items`, or the short form with one `book_id` and `quantity`."""

    rules = (short_form_rule(SHORT_FORM),)

    order_id = StrictUUIDField()
    items = serializers.ListField(
        child=LineInput(), min_length=1, max_length=settings.MAX_LINES_PER_ORDER, required=False
    )
    book_id = CodeField(required=False)
    quantity = QuantityField(required=False)
    expires_in = StrictIntegerField(
        min_value=1,
        max_value=int(settings.RESERVATION_CAP.total_seconds()),
        required=False,
        help_text=f"Seconds until the reservations expire; {settings.RESERVATION_TTL.total_seconds():.0f} if left out",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return with_items(attrs, SHORT_FORM)


@extend_schema_serializer(examples=[examples.HOLD_ONE_BOOK, examples.HOLD_IN_SHORT, WHOLE_ORDER])
class ReleaseInput(StrictSerializer):
    """Reservations of an order: all of them, `items`, or the short form with one `book_id` and `quantity`."""

    rules = (short_form_rule(SHORT_FORM, is_optional=True),)

    order_id = StrictUUIDField()
    items = serializers.ListField(
        child=LineInput(),
        min_length=1,
        max_length=settings.MAX_LINES_PER_ORDER,
        required=False,
        help_text="If left out, all reservations of the order",
    )
    book_id = CodeField(required=False)
    quantity = QuantityField(required=False)
    reason = TextField(max_length=200, required=False, default="released")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return with_items(attrs, SHORT_FORM, is_optional=True)


@extend_schema_serializer(examples=[WHOLE_ORDER])
class ExtendInput(StrictSerializer):
    order_id = StrictUUIDField()


@extend_schema_serializer(examples=[examples.DELIVERY])
class AddStockInput(StrictSerializer):
    quantity = StrictIntegerField(min_value=1, max_value=MOST_AT_ONCE)
    reason = TextField(max_length=200, required=False)
    reference = CodeField(required=False, help_text="Your name for the delivery; it counts once")


@extend_schema_serializer(examples=[examples.COUNT])
class AdjustStockInput(StrictSerializer):
    delta = DeltaField()
    reason = TextField(max_length=200)
    reference = CodeField(required=False, help_text="Your name for the count; it counts once")


class HeldOutput(serializers.ModelSerializer[Reservation]):
    reservation_id = serializers.UUIDField(source="id")
    book_id = serializers.CharField()

    class Meta:
        model = Reservation
        fields = ["reservation_id", "book_id", "quantity", "status", "expires_at"]


@extend_schema_serializer(examples=[response_example("One book", examples.RESERVATIONS_EXAMPLE)])
class HoldsOutput(serializers.Serializer[Any]):
    """All reservations of an order, in any status."""

    order_id = serializers.UUIDField()
    reservations = HeldOutput(many=True)
