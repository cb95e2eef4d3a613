"""Looking at the stock."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.viewers import sees_everything
from inventory.selectors import inventory_of
from inventory.serializers import InventoryOutput, OperatorInventoryOutput


class Inventory(APIView):
    """GET: a book's copies in all, held and to be had; only operators see whose reservations there are."""

    def get(self, request: Request, book_id: str) -> Response:
        shape = OperatorInventoryOutput if sees_everything(request.user) else InventoryOutput
        return Response(shape(inventory_of(book_id)).data)
