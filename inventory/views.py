"""Looking at the stock."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.pagination import NumberedPages
from cloudmart.api.schema import refuses
from cloudmart.api.viewers import sees_everything
from inventory.errors import UnknownBook
from inventory.filters import InventoryFilter
from inventory.models import InventoryRecord
from inventory.selectors import inventory_of, shelves_now
from inventory.serializers import InventoryOutput, OperatorInventoryOutput, ShelfOutput


@extend_schema_view(get=extend_schema(summary="List books with their stock"))
class InventoryList(generics.ListAPIView[InventoryRecord]):
    """GET: all books, with their copies in all, held and to be had."""

    serializer_class = ShelfOutput
    pagination_class = NumberedPages
    filterset_class = InventoryFilter
    ordering_fields = ("book_id", "title", "price", "available_quantity")
    ordering = ("book_id",)

    def get_queryset(self) -> QuerySet[InventoryRecord]:
        return shelves_now()


class Inventory(APIView):
    """GET: a book's copies in all, held and to be had; only operators see whose reservations there are."""

    @extend_schema(summary="Look at a book's stock", responses=OperatorInventoryOutput)
    @refuses(UnknownBook)
    def get(self, request: Request, book_id: str) -> Response:
        shape = OperatorInventoryOutput if sees_everything(request.user) else InventoryOutput
        return Response(shape(inventory_of(book_id)).data)
