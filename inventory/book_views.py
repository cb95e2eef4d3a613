"""The catalogue over HTTP: everybody reads it, operators change it."""

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.idempotency import idempotent_transaction
from cloudmart.api.lists import StaleList
from cloudmart.api.pagination import NumberedPages
from cloudmart.api.permissions import StaffOrReadOnly
from cloudmart.api.schema import refuses
from cloudmart.kernel.viewers import actor_of, sees_everything
from inventory.book_serializers import BookChangesInput, BookOutput, NewBookInput, OperatorBookOutput
from inventory.errors import BookExists, UnknownBook
from inventory.filters import BookFilter
from inventory.models import Book
from inventory.selectors import find_books
from inventory.services import change_book, create_book
from inventory.services.catalogue import BookChanges


def book_output(request: Request) -> type[BookOutput]:
    """Returns how the visitor sees a book."""
    return OperatorBookOutput if sees_everything(request.user) else BookOutput


@extend_schema_view(get=extend_schema(summary="List the books that the shop sells", responses=OperatorBookOutput))
class Books(StaleList[Book]):
    """GET: codes, titles and prices; `archived=true` lists the books that the shop no longer sells."""

    permission_classes = [StaffOrReadOnly.with_permission("inventory.add_book")]
    pagination_class = NumberedPages
    filterset_class = BookFilter
    ordering_fields = ("book_id", "title", "price")
    ordering = ("book_id",)

    def get_serializer_class(self) -> type[BookOutput]:
        return book_output(self.request)

    def get_queryset(self) -> QuerySet[Book]:
        books = Book.objects.annotate(book_id=F("id"))
        return books.select_related("inventory") if sees_everything(self.request.user) else books

    @extend_schema(summary="Add a book to the catalogue", request=NewBookInput, responses={201: OperatorBookOutput})
    @refuses(BookExists)
    @idempotent_transaction
    def post(self, request: Request) -> Response:
        """For operators. Creates the book and its stock, with `quantity` first copies, together."""
        asked = NewBookInput.read(request)
        book = Book(id=asked["book_id"], title=asked["title"], price=asked["price"])
        threshold = asked["low_stock_threshold"]
        actor = actor_of(request.user)
        create_book(book, asked["quantity"], low_stock_threshold=threshold, actor=actor, user=request.user)
        return Response(OperatorBookOutput(book).data, 201, headers={"Location": f"/books/{book.pk}"})


class OneBook(APIView):
    permission_classes = [StaffOrReadOnly.with_permission("inventory.change_book")]

    @extend_schema(summary="Look at a book", responses=OperatorBookOutput)
    @refuses(UnknownBook)
    def get(self, request: Request, book_id: str) -> Response:
        """Its title and price, also if it is archived. Its stock: `/inventory/{book_id}`."""
        return Response(book_output(request)(find_books([book_id])[book_id].book).data)

    @extend_schema(
        summary="Change a book's title, price or threshold, or archive it",
        request=BookChangesInput,
        responses=OperatorBookOutput,
    )
    @refuses(UnknownBook)
    @idempotent_transaction
    def patch(self, request: Request, book_id: str) -> Response:
        """For operators. Orders keep the title and price with which they were placed.

        An archived book is not sold: `book_archived`. It can still be restocked, and returned; its orders and history
        stay. `"archived": false` sells it again.

        The event stock.low is sent when the available copies fall to `low_stock_threshold`, and at once if they are
        that few already.
        """
        changes = BookChanges(**BookChangesInput.read(request))  # type: ignore[typeddict-item]
        return Response(OperatorBookOutput(change_book(book_id, changes, request.user)).data)
