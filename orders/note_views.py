"""The notes about an order over HTTP. Customers neither see nor write them."""

from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_serializer, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.api.examples import CREATED, request_example, response_example
from cloudmart.api.fields import SharedFields, StrictSerializer, TextField
from cloudmart.api.idempotency import idempotent_transaction
from cloudmart.api.pagination import NumberedPages
from cloudmart.api.permissions import StaffMayRead
from cloudmart.api.schema import refuses
from cloudmart.kernel.viewers import actor_of
from orders.errors import OrderNotFound
from orders.models import LONGEST_NOTE, OrderNote
from orders.selectors import find_order, notes_of
from orders.services import add_note

NOTE = "The customer has called: the parcel may be left with the neighbour."


@extend_schema_serializer(examples=[request_example("A note", {"text": NOTE})])
class NoteInput(StrictSerializer):
    text = TextField(max_length=LONGEST_NOTE)


@extend_schema_serializer(examples=[response_example("A note", {"author": "operator", "text": NOTE, "at": CREATED})])
class NoteOutput(SharedFields):
    """A note that an operator has written about an order."""

    author = serializers.CharField()
    text = serializers.CharField()
    at = serializers.DateTimeField()


@extend_schema_view(get=extend_schema(summary="List the notes about an order"))
@refuses(OrderNotFound)
class Notes(generics.ListAPIView[OrderNote]):
    """For operators, oldest first. Customers never see them."""

    serializer_class = NoteOutput
    pagination_class = NumberedPages
    filter_backends = ()
    permission_classes = [StaffMayRead.with_permission("orders.note_order")]

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return notes_of(find_order(self.kwargs["order_id"], self.request.user).pk)

    @extend_schema(summary="Add a note to an order", request=NoteInput, responses={201: NoteOutput})
    @idempotent_transaction
    def post(self, request: Request, order_id: UUID) -> Response:
        """For operators. A note is neither changed nor deleted, and customers never see it."""
        note = add_note(order_id, actor_of(request.user), NoteInput.read(request)["text"])
        return Response(NoteOutput(note).data, 201)
