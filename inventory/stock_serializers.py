"""Responses about the stock of a book: now, in the past, and its events."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import response_example
from cloudmart.api.fields import StrictSerializer
from cloudmart.api.filtering import EARLIEST_YEAR, LATEST_YEAR, MOMENT_SCHEMA
from inventory import examples
from inventory.models import Reservation, StockEvent

THRESHOLD_HELP = "The event stock.low is sent when no more copies are available; null: never. For operators only"


class HoldOutput(serializers.ModelSerializer[Reservation]):
    """A live reservation, without its order."""

    class Meta:
        model = Reservation
        fields = ["quantity", "held_since", "expires_at"]


class ReservationOutput(serializers.ModelSerializer[Reservation]):
    """A live reservation, for operators."""

    reservation_id = serializers.UUIDField(source="id")
    order_id = serializers.UUIDField()

    class Meta:
        model = Reservation
        fields = ["reservation_id", "order_id", "quantity", "held_since", "expires_at"]


class PastHoldOutput(serializers.Serializer[Any]):
    """A reservation that was live at a time in the past, without its order."""

    quantity = serializers.IntegerField()
    held_since = serializers.DateTimeField()


class OperatorPastHoldOutput(PastHoldOutput):
    """A reservation that was live at a time in the past, for operators."""

    reservation_id = serializers.UUIDField()
    order_id = serializers.UUIDField()


class AnyHoldOutput(PastHoldOutput):
    """A live reservation. Only operators see its order; `expires_at` is shown of the present ones."""

    held_since = serializers.DateTimeField(
        help_text="Of a past reservation: when it began. Of a present one: when its maximum duration started"
    )
    reservation_id = serializers.UUIDField(required=False)
    order_id = serializers.UUIDField(required=False)
    expires_at = serializers.DateTimeField(required=False)


@extend_schema_field(MOMENT_SCHEMA)
class MomentInput(serializers.DateTimeField):
    """A time that every database can store; UTC unless it has another offset."""

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, str) and value != value.strip():
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ss[+HH:MM|-HH:MM|Z]")
        moment: datetime = super().to_internal_value(value)
        if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            self.fail("overflow")
        return moment


class WhenInput(StrictSerializer):
    as_of = MomentInput(required=False, help_text="Show the stock at this time")


class StockEventOutput(serializers.ModelSerializer[StockEvent]):
    """One change of a book's stock."""

    class Meta:
        model = StockEvent
        fields = [
            "version",
            "type",
            "on_hand_delta",
            "reserved_delta",
            "on_hand_after",
            "reserved_after",
            "happened_at",
        ]


@extend_schema_serializer(examples=[response_example("A copy is held", examples.STOCK_EVENT_EXAMPLE)])
class OperatorStockEventOutput(StockEventOutput):
    """One change of a book's stock. The last five fields are for operators only."""

    order_id = serializers.UUIDField(required=False, allow_null=True)
    reservation_id = serializers.UUIDField(required=False, allow_null=True)
    reference = serializers.CharField(required=False, allow_null=True)
    reason = serializers.CharField(required=False)
    actor = serializers.CharField(required=False)

    class Meta(StockEventOutput.Meta):
        fields = [*StockEventOutput.Meta.fields, "order_id", "reservation_id", "reference", "reason", "actor"]


@extend_schema_serializer(examples=[response_example("A book", examples.STOCK_EXAMPLE)])
class StockOutput(serializers.Serializer[Any]):
    book_id = serializers.CharField()
    title = serializers.CharField()
    price = serializers.IntegerField()
    archived = serializers.BooleanField(help_text="True if the shop no longer sells it")
    total_quantity = serializers.IntegerField()
    reserved_quantity = serializers.IntegerField()
    available_quantity = serializers.IntegerField()


class InventoryOutput(StockOutput):
    reservations = HoldOutput(many=True)


@extend_schema_serializer(
    examples=[response_example("A book of which a copy is held", examples.STOCK_WITH_RESERVATIONS_EXAMPLE)]
)
class OperatorInventoryOutput(StockOutput):
    low_stock_threshold = serializers.IntegerField(allow_null=True, help_text=THRESHOLD_HELP)
    reservations = ReservationOutput(many=True)


class InventoryThenOutput(serializers.Serializer[Any]):
    """A book's stock at a time in the past, after `version` events."""

    book_id = serializers.CharField()
    title = serializers.CharField()
    total_quantity = serializers.IntegerField()
    reserved_quantity = serializers.IntegerField()
    available_quantity = serializers.IntegerField()
    as_of = serializers.DateTimeField()
    version = serializers.IntegerField()
    reservations = PastHoldOutput(many=True)


class OperatorInventoryThenOutput(InventoryThenOutput):
    reservations = OperatorPastHoldOutput(many=True)


@extend_schema_serializer(
    examples=[
        response_example("Now", examples.STOCK_WITH_RESERVATIONS_EXAMPLE),
        response_example("As of a moment", examples.STOCK_AT_TIME_EXAMPLE),
    ]
)
class InventoryNowOrThenOutput(InventoryThenOutput):
    """With `as_of`: `as_of` and `version`. Without: `price`, `archived` and, for operators, the threshold."""

    price = serializers.IntegerField(required=False)
    archived = serializers.BooleanField(required=False)
    low_stock_threshold = serializers.IntegerField(required=False, allow_null=True, help_text=THRESHOLD_HELP)
    reservations = AnyHoldOutput(many=True)
    as_of = serializers.DateTimeField(required=False)
    version = serializers.IntegerField(required=False)
