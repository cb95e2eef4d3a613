"""Responses of the reports."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import response_example
from inventory import examples
from inventory.models import Reservation, Status, StockMovement
from inventory.reports import MOVEMENT_COLUMNS


class AgeOutput(serializers.Serializer[Any]):
    """Reservations of one status and age."""

    status = serializers.ChoiceField(Status.choices)
    age = serializers.CharField()
    reservations = serializers.IntegerField()
    copies = serializers.IntegerField()


class TimeToExpiryOutput(serializers.Serializer[Any]):
    """Active reservations by the time to their expiry."""

    time_to_expiry = serializers.CharField()
    reservations = serializers.IntegerField()
    copies = serializers.IntegerField()


class OldestOutput(serializers.ModelSerializer[Reservation]):
    """The active reservation that has been held longest."""

    reservation_id = serializers.UUIDField(source="id")
    book_id = serializers.CharField()

    class Meta:
        model = Reservation
        fields = ["reservation_id", "order_id", "book_id", "quantity", "held_since", "expires_at"]


@extend_schema_serializer(examples=[response_example("Reservations", examples.RESERVATION_REPORT)])
class ReservationReportOutput(serializers.Serializer[Any]):
    """Ranges without reservations are left out."""

    as_of = serializers.DateTimeField()
    by_age = AgeOutput(many=True)
    by_time_to_expiry = TimeToExpiryOutput(many=True)
    oldest = OldestOutput(allow_null=True)


@extend_schema_serializer(examples=[response_example("A day of a book", examples.MOVEMENT)])
class MovementOutput(serializers.ModelSerializer[StockMovement]):
    """Copies of a book that moved in a day; `adjusted` may be negative."""

    book_id = serializers.CharField()
    title = serializers.CharField()

    class Meta:
        model = StockMovement
        fields = MOVEMENT_COLUMNS
