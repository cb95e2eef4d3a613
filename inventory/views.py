"""Stock over HTTP: reads for everybody, commands for operators and other order systems."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.commands import TransactionCommand, described
from cloudmart.api.lists import StaleList
from cloudmart.api.pagination import CursorPages
from cloudmart.api.permissions import Staff
from cloudmart.api.schema import refuses
from cloudmart.kernel.limits import OrderTooLarge, check_size
from cloudmart.kernel.order import StockRequest, summed
from cloudmart.kernel.viewers import sees_everything
from inventory import serializers, services, stock_serializers
from inventory.errors import (
    BookArchived,
    OutOfStock,
    ReferenceReused,
    ReservationDiffers,
    ReservationEnded,
    ReservationExpired,
    StockIsReserved,
    TooMuchStock,
    UnknownBook,
)
from inventory.filters import InventoryFilter, StockEventFilter
from inventory.models import InventoryView, StockEvent
from inventory.pages import LaggingPages
from inventory.selectors import books_listed, check_for_sale, events_of, inventory_at, inventory_of, reservations_of


@extend_schema_view(get=extend_schema(summary="List books with their stock"))
class InventoryList(StaleList[InventoryView]):
    """GET: all books with their total, reserved and available copies; `lag` says how far the list is behind."""

    serializer_class = stock_serializers.StockOutput
    pagination_class = LaggingPages
    filterset_class = InventoryFilter
    ordering_fields = ("book_id", "title", "price", "available_quantity")
    ordering = ("book_id",)

    def get_queryset(self) -> QuerySet[InventoryView]:
        return books_listed()


class Inventory(APIView):
    @extend_schema(
        summary="Look at a book's stock, now or at a time in the past",
        parameters=[stock_serializers.WhenInput],
        responses=stock_serializers.InventoryNowOrThenOutput,
    )
    @refuses(UnknownBook)
    def get(self, request: Request, book_id: str) -> Response:
        """Total, reserved and available copies, and the live reservations. Only operators see their orders.

        With `as_of`, the stock and its reservations at that time. They count until the history has returned their
        copies, also past their expiry.
        """
        moment = stock_serializers.WhenInput.read_query(request).get("as_of")
        now, then = (
            (stock_serializers.OperatorInventoryOutput, stock_serializers.OperatorInventoryThenOutput)
            if sees_everything(request.user)
            else (stock_serializers.InventoryOutput, stock_serializers.InventoryThenOutput)
        )
        if moment:
            return Response(then(inventory_at(book_id, moment)).data)
        return Response(now(inventory_of(book_id)).data)


@refuses(UnknownBook)
@extend_schema_view(
    get=extend_schema(
        summary="List the events of a book's stock, newest first", responses=stock_serializers.OperatorStockEventOutput
    )
)
class StockEvents(StaleList[StockEvent]):
    """Each change, with the stock after it. Only operators see its order, actor and reason."""

    pagination_class = CursorPages
    queryset = StockEvent.objects.none()
    filterset_class = StockEventFilter
    ordering_fields = ("version",)
    ordering = ("-version",)

    def get_serializer_class(self) -> type[stock_serializers.StockEventOutput]:
        is_operator = sees_everything(self.request.user)
        return stock_serializers.OperatorStockEventOutput if is_operator else stock_serializers.StockEventOutput

    def get_queryset(self) -> QuerySet[StockEvent]:
        return events_of(self.kwargs["book_id"])


def wanted(asked: dict[str, Any], actor: str) -> StockRequest:
    """The books and quantities that the request names. Raises OrderTooLarge."""
    quantities = summed((item["book_id"], item["quantity"]) for item in asked.get("items", []))
    check_size(quantities)
    return StockRequest(asked["order_id"], quantities, actor)


@described(
    "Reserve books for an order",
    OrderTooLarge,
    UnknownBook,
    BookArchived,
    OutOfStock,
    ReservationDiffers,
    ReservationEnded,
)
class Reserve(TransactionCommand):
    """For operators. Reserves all books until `expires_at`, or none.

    A second request changes nothing, not even `expires_at`: see `/inventory/extend`.
    """

    permission_classes = [Staff.with_permission("inventory.reserve_stock")]
    input, output = serializers.ReserveInput, serializers.HoldsOutput

    def act(self, asked: dict[str, Any], actor: str) -> dict[str, Any]:
        stock_request = wanted(asked, actor)
        self.guard(stock_request.order_id)
        check_for_sale(stock_request)
        seconds = asked.get("expires_in")
        services.reserve_stock(stock_request, seconds and timedelta(seconds=seconds))
        return reservations_of(stock_request.order_id)


@described("Release an order's reservations", OrderTooLarge, UnknownBook, ReservationDiffers, ReservationEnded)
class Release(TransactionCommand):
    """For operators. Books without a live reservation are no error; books that are sold stay sold."""

    permission_classes = [Staff.with_permission("inventory.release_stock")]
    input, output = serializers.ReleaseInput, serializers.HoldsOutput

    def act(self, asked: dict[str, Any], actor: str) -> dict[str, Any]:
        services.release_reservations(wanted(asked, actor), asked["reason"])
        return reservations_of(asked["order_id"])


@described("Extend an order's reservations", ReservationExpired)
class Extend(TransactionCommand):
    """For operators. They last as long as new ones from now, up to a limit in all."""

    permission_classes = [Staff.with_permission("inventory.extend_holds")]
    input, output = serializers.ExtendInput, serializers.HoldsOutput

    def act(self, asked: dict[str, Any], actor: str) -> dict[str, Any]:
        services.extend_reservations(asked["order_id"])
        return reservations_of(asked["order_id"])


@described("Add copies that have arrived", UnknownBook, TooMuchStock, ReferenceReused)
class AddStock(TransactionCommand):
    """For operators. A delivery with a `reference` counts once, however often it is sent."""

    permission_classes = [Staff.with_permission("inventory.add_stock")]
    input, output = serializers.AddStockInput, stock_serializers.OperatorInventoryOutput

    def act(self, asked: dict[str, Any], actor: str, book_id: str) -> dict[str, Any]:
        services.add_stock(book_id, asked.pop("quantity"), actor=actor, **asked)
        return inventory_of(book_id)


@described("Correct the stock after a count", UnknownBook, StockIsReserved, TooMuchStock, ReferenceReused)
class AdjustStock(TransactionCommand):
    """For operators. Reserved copies cannot be removed. A correction with a `reference` counts once."""

    permission_classes = [Staff.with_permission("inventory.adjust_stock")]
    input, output = serializers.AdjustStockInput, stock_serializers.OperatorInventoryOutput

    def act(self, asked: dict[str, Any], actor: str, book_id: str) -> dict[str, Any]:
        services.adjust_stock(book_id, asked.pop("delta"), actor=actor, **asked)
        return inventory_of(book_id)
