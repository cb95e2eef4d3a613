"""A draft over HTTP: books in and out, how it is paid and sent, confirmed or given up."""

from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.deadlines import may_respond_async, request_deadline
from cloudmart.api.idempotency import claim_of, idempotent, idempotent_transaction
from cloudmart.api.schema import refuses
from cloudmart.kernel.limits import OrderTooLarge
from cloudmart.kernel.viewers import actor_of
from inventory.errors import HeldTooLong, OutOfStock, PriceChanged, ReservationExpired, UnknownBook
from orders.drafts import change_draft, lock_draft
from orders.errors import (
    ItemNotFound,
    NoPaymentMethod,
    NoShippingAddress,
    OrderChanged,
    OrderIsEmpty,
    OrderNotDraft,
    OrderNotFound,
    RegionDiffers,
    UnknownCoupon,
)
from orders.selectors import find_order
from orders.serializers import OrderOutput
from orders.views import OrderDetail
from sagas.desk import drafts as process
from sagas.desk.draft_serializers import ConfirmInput, DraftChangesInput, QuantityInput
from sagas.desk.permissions import FOR_OTHERS, OwnerOrStaff
from sagas.desk.placing import RequestedLine
from sagas.desk.responses import ON_THE_WAY, answer_with
from sagas.desk.serializers import ItemInput, NoInput, OrderAndSagaOutput
from sagas.selectors import look_at_holds


@extend_schema_view(get=extend_schema(summary="Look at an order"))
@refuses(OrderNotFound)
class OrderOrDraft(OrderDetail):
    """GET: the order; of a draft also until when each book is held, and which are held no longer."""

    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    def get_object(self):  # type: ignore[no-untyped-def]
        order = super().get_object()
        look_at_holds([order])
        return order

    @extend_schema(summary="Change how a draft is paid, sent or reckoned", request=DraftChangesInput)
    @refuses(OrderNotFound, OrderNotDraft, UnknownCoupon, RegionDiffers)
    @idempotent_transaction
    def patch(self, request: Request, order_id: UUID) -> Response:
        """Its books are changed with `/orders/{order_id}/items`."""
        find_order(order_id, request.user)
        asked = DraftChangesInput(data=request.data)
        asked.is_valid(raise_exception=True)
        change_draft(lock_draft(order_id), asked.wishes)
        return shown(request, order_id)

    @extend_schema(summary="Delete a draft", responses={204: None})
    @refuses(OrderNotFound, OrderNotDraft)
    @idempotent_transaction
    def delete(self, request: Request, order_id: UUID) -> Response:
        """Its books are given back, and it is forgotten. To keep it on record, cancel it."""
        draft = find_order(order_id, request.user)
        process.discard_draft(order_id, actor_of(request.user, draft.customer_id))
        return Response(status=204)


class Items(APIView):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @extend_schema(summary="Add a book to a draft, and hold it", request=ItemInput, responses=OrderOutput)
    @refuses(OrderNotFound, OrderNotDraft, UnknownBook, PriceChanged, OutOfStock, HeldTooLong, OrderTooLarge)
    @idempotent_transaction
    def post(self, request: Request, order_id: UUID) -> Response:
        """So many copies more of it. They are held until `held_until`; nothing is added when they cannot be."""
        draft = find_order(order_id, request.user)
        item = RequestedLine(**ItemInput.read(request))
        process.add_item(order_id, item, actor_of(request.user, draft.customer_id))
        return shown(request, order_id)


CHANGE = extend_schema(
    summary="Change how many copies of a book a draft has", request=QuantityInput, responses=OrderOutput
)


class Item(APIView):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @CHANGE
    @refuses(OrderNotFound, OrderNotDraft, ItemNotFound, PriceChanged, OutOfStock, HeldTooLong, OrderTooLarge)
    @idempotent_transaction
    def put(self, request: Request, order_id: UUID, book_id: str) -> Response:
        """Just so many are held from now on, at the price of now; what had been given back is held again."""
        draft = find_order(order_id, request.user)
        item = RequestedLine(book_id, **QuantityInput.read(request))
        process.change_item(order_id, item, actor_of(request.user, draft.customer_id))
        return shown(request, order_id)

    @extend_schema(summary="Take a book out of a draft", request=None, responses={200: OrderOutput})
    @refuses(OrderNotFound, OrderNotDraft)
    @idempotent_transaction
    def delete(self, request: Request, order_id: UUID, book_id: str) -> Response:
        """Its copies are given back. A book that is not in the draft is taken out easily."""
        draft = find_order(order_id, request.user)
        process.remove_item(order_id, book_id, actor_of(request.user, draft.customer_id))
        return shown(request, order_id)


class ExtendDraft(APIView):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @extend_schema(summary="Hold a draft's books for longer", request=NoInput, responses=OrderOutput)
    @refuses(OrderNotFound, OrderNotDraft, ReservationExpired)
    @idempotent_transaction
    def post(self, request: Request, order_id: UUID) -> Response:
        """For as long again as a new hold, from now; but not without end. All of them, or none."""
        NoInput.read(request)
        find_order(order_id, request.user)
        process.extend_draft(order_id)
        return shown(request, order_id)


class ConfirmOrder(APIView):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @extend_schema(
        summary="Place the order that a draft comes to",
        request=ConfirmInput,
        responses={200: OrderAndSagaOutput, 202: OrderAndSagaOutput},
    )
    @refuses(
        OrderNotFound,
        OrderNotDraft,
        OrderIsEmpty,
        OrderChanged,
        NoPaymentMethod,
        NoShippingAddress,
        RegionDiffers,
        UnknownCoupon,
        PriceChanged,
        OutOfStock,
        *ON_THE_WAY,
    )
    @may_respond_async
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """Takes the money, books the delivery and sells what is held; when any of these fails, undoes the others.

        What is held no longer is held again where there are copies; else 409 out_of_stock names the books, and the
        draft stays. 202: it goes on, see Location. Confirmed twice, it is placed once.
        """
        draft = find_order(order_id, request.user)
        asked = ConfirmInput(data=request.data)
        asked.is_valid(raise_exception=True)
        token = asked.validated_data.get("payment_token", "")
        actor = actor_of(request.user, draft.customer_id)
        return answer_with(
            process.confirm_draft(draft, asked.wishes, token, actor, claim_of(request), request_deadline(request))
        )


def shown(request: Request, order_id: UUID) -> Response:
    """The draft as it is now."""
    draft = find_order(order_id, request.user)
    look_at_holds([draft])
    return Response(OrderOutput(draft).data)
