"""Drafts over HTTP: changed, confirmed, cancelled or deleted."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.commands import NoInput
from cloudmart.api.deadlines import RespondsAsync, may_respond_async, request_deadline
from cloudmart.api.idempotency import claim_of, idempotent, idempotent_transaction
from cloudmart.api.long_polling import waits_while
from cloudmart.api.schema import refuses
from cloudmart.kernel.limits import OrderTooLarge
from cloudmart.kernel.viewers import actor_of
from inventory.errors import BookArchived, HeldTooLong, OutOfStock, PriceChanged, ReservationExpired, UnknownBook
from orders.drafts import change_draft, lock_draft
from orders.errors import (
    CouponNotValid,
    ItemNotFound,
    NoShippingAddress,
    NoTaxRate,
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
from sagas.desk.draft_serializers import ConfirmInput, DraftChangesInput, OrderDetailOutput, QuantityInput
from sagas.desk.draft_view import draft_view
from sagas.desk.permissions import FOR_OTHERS, OwnerOrStaff
from sagas.desk.requests import RequestedLine
from sagas.desk.responses import SAGA_FAILURES, response_to
from sagas.desk.serializers import ItemInput, OrderAndSagaOutput, requested_line
from sagas.selectors import is_unfinished

ITEM_REFUSALS = (BookArchived, PriceChanged, OutOfStock, HeldTooLong, OrderTooLarge)


@refuses(OrderNotFound)
class OrderOrDraft(OrderDetail):
    serializer_class = OrderDetailOutput
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    def get_object(self):  # type: ignore[no-untyped-def]
        return draft_view(super().get_object())

    @extend_schema(summary="Look at an order or a draft", responses=OrderDetailOutput)
    @waits_while(is_unfinished)
    def get(self, request: Request, order_id: UUID) -> Response:
        """Of a draft also the end of each reservation, and the books whose reservation has expired.

        With `wait`, the response comes once the order is finished; of a draft, or if an operator has
        abandoned the order, at once.
        """
        return self.retrieve(request)

    @extend_schema(
        summary="Change a draft's payment method, address, coupon or saga style",
        request=DraftChangesInput,
        responses=OrderDetailOutput,
    )
    @refuses(OrderNotFound, OrderNotDraft, UnknownCoupon, CouponNotValid, RegionDiffers, NoTaxRate)
    @idempotent_transaction
    def patch(self, request: Request, order_id: UUID) -> Response:
        """To change its books, use `/orders/{order_id}/items`."""
        find_order(order_id, request.user)
        change_draft(lock_draft(order_id), DraftChangesInput.of(request).changes)
        return draft_response(request, order_id)

    @extend_schema(summary="Delete a draft", responses={204: None})
    @refuses(OrderNotFound, OrderNotDraft)
    @idempotent_transaction
    def delete(self, request: Request, order_id: UUID) -> Response:
        """Releases its books and deletes it. To keep a record of it, cancel it instead."""
        draft = find_order(order_id, request.user)
        process.discard_draft(order_id, actor_of(request.user, draft.customer_id))
        return Response(status=204)


class Items(APIView):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @extend_schema(summary="Add a book to a draft, and reserve it", request=ItemInput, responses=OrderDetailOutput)
    @refuses(OrderNotFound, OrderNotDraft, UnknownBook, *ITEM_REFUSALS)
    @idempotent_transaction
    def post(self, request: Request, order_id: UUID) -> Response:
        """Adds copies to those already in the draft. They are reserved until `held_until`, or not added."""
        draft = find_order(order_id, request.user)
        item = requested_line(ItemInput.read(request))
        process.add_item(order_id, item, actor_of(request.user, draft.customer_id))
        return draft_response(request, order_id)


class Item(APIView):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @extend_schema(
        summary="Change the quantity of a book in a draft", request=QuantityInput, responses=OrderDetailOutput
    )
    @refuses(OrderNotFound, OrderNotDraft, ItemNotFound, *ITEM_REFUSALS)
    @idempotent_transaction
    def put(self, request: Request, order_id: UUID, book_id: str) -> Response:
        """Sets the quantity, at the current price. An expired reservation is renewed."""
        draft = find_order(order_id, request.user)
        item = RequestedLine(book_id, **QuantityInput.read(request))
        process.change_item(order_id, item, actor_of(request.user, draft.customer_id))
        return draft_response(request, order_id)

    @extend_schema(summary="Remove a book from a draft", request=None, responses={200: OrderOutput})
    @refuses(OrderNotFound, OrderNotDraft)
    @idempotent_transaction
    def delete(self, request: Request, order_id: UUID, book_id: str) -> Response:
        """Releases its copies. Removing a book that is not in the draft is no error."""
        draft = find_order(order_id, request.user)
        process.remove_item(order_id, book_id, actor_of(request.user, draft.customer_id))
        return draft_response(request, order_id)


class ExtendDraft(APIView):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @extend_schema(summary="Extend a draft's reservations", request=NoInput, responses=OrderDetailOutput)
    @refuses(OrderNotFound, OrderNotDraft, ReservationExpired)
    @idempotent_transaction
    def post(self, request: Request, order_id: UUID) -> Response:
        """They last as long as new ones from now, up to a limit in all. Extends all of them, or none."""
        NoInput.read(request)
        find_order(order_id, request.user)
        process.extend_draft(order_id)
        return draft_response(request, order_id)


class ConfirmOrder(RespondsAsync):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @extend_schema(
        summary="Confirm a draft: place its order",
        request=ConfirmInput,
        responses={200: OrderAndSagaOutput, 202: OrderAndSagaOutput},
    )
    @refuses(
        OrderNotFound,
        OrderNotDraft,
        OrderIsEmpty,
        OrderChanged,
        NoShippingAddress,
        RegionDiffers,
        UnknownCoupon,
        CouponNotValid,
        NoTaxRate,
        BookArchived,
        PriceChanged,
        OutOfStock,
        *SAGA_FAILURES,
    )
    @may_respond_async
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """Charges the payment, books the delivery and sells the reserved books; if one fails, undoes the others.

        Expired reservations are renewed where copies are available; otherwise 409 out_of_stock names the books, and
        the draft stays. 202: it continues, see Location. A second confirmation does not place it again.
        """
        draft = find_order(order_id, request.user)
        asked = ConfirmInput.of(request)
        token = asked.validated_data.get("payment_token", "")
        actor = actor_of(request.user, draft.customer_id)
        return response_to(
            process.confirm_draft(draft, asked.changes, token, actor, claim_of(request), request_deadline(request))
        )


def draft_response(request: Request, order_id: UUID) -> Response:
    """Returns the draft as it is now."""
    return Response(OrderDetailOutput(draft_view(find_order(order_id, request.user))).data)
