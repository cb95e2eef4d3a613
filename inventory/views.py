"""Stock over HTTP: reads for everybody, commands for operators and other order systems."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.commands import OrderCommand
from cloudmart.api.idempotency import idempotent_transaction
from cloudmart.api.pagination import CursorPages
from cloudmart.api.permissions import Staff
from cloudmart.api.schema import refuses
from cloudmart.kernel.limits import OrderTooLarge, check_size
from cloudmart.kernel.order import StockRequest, summed
from cloudmart.kernel.viewers import actor_of, sees_everything
from inventory import services
from inventory.errors import (
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
from inventory.selectors import books_listed, events_of, inventory_at, inventory_of, reservations_of
from inventory.serializers import (
    AddStockInput,
    AdjustStockInput,
    ExtendInput,
    HoldsOutput,
    InventoryNowOrThenOutput,
    InventoryOutput,
    InventoryThenOutput,
    OperatorInventoryOutput,
    OperatorStockEventOutput,
    ReleaseInput,
    ReserveInput,
    StockEventOutput,
    StockOutput,
    WhenInput,
)


@extend_schema_view(get=extend_schema(summary="List books with their stock"))
class InventoryList(generics.ListAPIView[InventoryView]):
    """GET: all books with their total, reserved and available copies; `lag` says how far the list is behind."""

    serializer_class = StockOutput
    pagination_class = LaggingPages
    filterset_class = InventoryFilter
    ordering_fields = ("book_id", "title", "price", "available_quantity")
    ordering = ("book_id",)

    def get_queryset(self) -> QuerySet[InventoryView]:
        return books_listed()


class Inventory(APIView):
    @extend_schema(
        summary="Look at a book's stock, now or at a time in the past",
        parameters=[WhenInput],
        responses=InventoryNowOrThenOutput,
    )
    @refuses(UnknownBook)
    def get(self, request: Request, book_id: str) -> Response:
        """Total, reserved and available copies. Only operators see which orders have reservations.

        With `as_of`, the stock at that time. Reservations count until the history has returned their copies.
        """
        if moment := WhenInput.read_query(request).get("as_of"):
            return Response(InventoryThenOutput(inventory_at(book_id, moment)).data)
        shape = OperatorInventoryOutput if sees_everything(request.user) else InventoryOutput
        return Response(shape(inventory_of(book_id)).data)


@refuses(UnknownBook)
@extend_schema_view(
    get=extend_schema(summary="List the events of a book's stock, newest first", responses=OperatorStockEventOutput)
)
class StockEvents(generics.ListAPIView[StockEvent]):
    """Each change, with the stock after it. Only operators see its order, actor and reason."""

    pagination_class = CursorPages
    queryset = StockEvent.objects.none()
    filterset_class = StockEventFilter
    ordering_fields = ("version",)
    ordering = ("-version",)

    def get_serializer_class(self) -> type[StockEventOutput]:
        return OperatorStockEventOutput if sees_everything(self.request.user) else StockEventOutput

    def get_queryset(self) -> QuerySet[StockEvent]:
        return events_of(self.kwargs["book_id"])


def wanted(request: Request, asked: dict[str, Any]) -> StockRequest:
    """The books and quantities that the request names. Raises OrderTooLarge."""
    quantities = summed((item["book_id"], item["quantity"]) for item in asked.get("items", []))
    check_size(quantities)
    return StockRequest(asked["order_id"], quantities, actor_of(request.user))


class Reserve(OrderCommand):
    permission_classes = [Staff.with_permission("inventory.reserve_stock")]

    @extend_schema(summary="Reserve books for an order", request=ReserveInput, responses={200: HoldsOutput})
    @refuses(OrderTooLarge, UnknownBook, OutOfStock, ReservationDiffers, ReservationEnded)
    @idempotent_transaction
    def post(self, request: Request) -> Response:
        """For operators. Reserves all books until `expires_at`, or none. A second request changes nothing."""
        stock_request = wanted(request, ReserveInput.read(request))
        self.guard(stock_request.order_id)
        services.reserve_stock(stock_request)
        return Response(HoldsOutput(reservations_of(stock_request.order_id)).data)


class Release(APIView):
    permission_classes = [Staff.with_permission("inventory.release_stock")]

    @extend_schema(
        summary="Release an order's reservations",
        request=ReleaseInput,
        responses={200: HoldsOutput},
    )
    @refuses(OrderTooLarge, UnknownBook, ReservationDiffers, ReservationEnded)
    @idempotent_transaction
    def post(self, request: Request) -> Response:
        """For operators. Books without a live reservation are no error; books that are sold stay sold."""
        asked = ReleaseInput.read(request)
        services.release_reservations(wanted(request, asked), asked["reason"])
        return Response(HoldsOutput(reservations_of(asked["order_id"])).data)


class Extend(APIView):
    permission_classes = [Staff.with_permission("inventory.extend_holds")]

    @extend_schema(summary="Extend an order's reservations", request=ExtendInput, responses=HoldsOutput)
    @refuses(ReservationExpired)
    @idempotent_transaction
    def post(self, request: Request) -> Response:
        """For operators. They last as long as new ones from now, up to a limit in all."""
        order_id = ExtendInput.read(request)["order_id"]
        services.extend_reservations(order_id)
        return Response(HoldsOutput(reservations_of(order_id)).data)


class AddStock(APIView):
    permission_classes = [Staff.with_permission("inventory.add_stock")]

    @extend_schema(
        summary="Add copies that have arrived",
        request=AddStockInput,
        responses={200: OperatorInventoryOutput},
    )
    @refuses(UnknownBook, TooMuchStock, ReferenceReused)
    @idempotent_transaction
    def post(self, request: Request, book_id: str) -> Response:
        """For operators. A delivery with a `reference` counts once, however often it is sent."""
        asked = AddStockInput.read(request)
        services.add_stock(book_id, asked.pop("quantity"), actor=actor_of(request.user), **asked)
        return Response(OperatorInventoryOutput(inventory_of(book_id)).data)


class AdjustStock(APIView):
    permission_classes = [Staff.with_permission("inventory.adjust_stock")]

    @extend_schema(
        summary="Correct the stock after a count",
        request=AdjustStockInput,
        responses={200: OperatorInventoryOutput},
    )
    @refuses(UnknownBook, StockIsReserved, TooMuchStock, ReferenceReused)
    @idempotent_transaction
    def post(self, request: Request, book_id: str) -> Response:
        """For operators. Reserved copies cannot be removed. A correction with a `reference` counts once."""
        asked = AdjustStockInput.read(request)
        services.adjust_stock(book_id, asked.pop("delta"), actor=actor_of(request.user), **asked)
        return Response(OperatorInventoryOutput(inventory_of(book_id)).data)
