"""A book's stock as the API shows it."""

from typing import Any

from rest_framework import serializers

from inventory.models import Reservation


class HoldOutput(serializers.ModelSerializer[Reservation]):
    """A live reservation, without whose it is."""

    class Meta:
        model = Reservation
        fields = ["quantity", "expires_at"]


class ReservationOutput(serializers.ModelSerializer[Reservation]):
    """A live reservation, for operators."""

    reservation_id = serializers.UUIDField(source="id", required=False)
    order_id = serializers.UUIDField(required=False)

    class Meta:
        model = Reservation
        fields = ["reservation_id", "order_id", "quantity", "expires_at"]


class StockOutput(serializers.Serializer[Any]):
    book_id = serializers.CharField()
    title = serializers.CharField()
    price = serializers.IntegerField()
    total_quantity = serializers.IntegerField()
    reserved_quantity = serializers.IntegerField()
    available_quantity = serializers.IntegerField()


class ShelfOutput(StockOutput):
    """One line of the list."""

    total_quantity = serializers.IntegerField(source="on_hand")


class InventoryOutput(StockOutput):
    reservations = HoldOutput(many=True)


class OperatorInventoryOutput(StockOutput):
    reservations = ReservationOutput(many=True)
