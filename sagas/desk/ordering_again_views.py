"""Ordering again over HTTP."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.commands import NoInput
from cloudmart.api.examples import response_example
from cloudmart.api.fields import SharedFields
from cloudmart.api.idempotency import idempotent_transaction
from cloudmart.api.schema import refuses
from cloudmart.kernel.viewers import actor_of
from inventory.errors import BookArchived, HeldTooLong, OutOfStock, UnknownBook
from orders.errors import NoTaxRate, OrderIsDraft, OrderIsEmpty, OrderNotFound, TooManyDrafts
from orders.selectors import find_order
from sagas.desk.draft_serializers import OrderDetailOutput
from sagas.desk.draft_view import DraftView, draft_view
from sagas.desk.examples import DRAFT_LIKE_AN_ORDER
from sagas.desk.ordering_again import order_again
from sagas.desk.permissions import FOR_OTHERS, OwnerOrStaff


class LeftOutOutput(SharedFields):
    name = serializers.CharField(help_text="The code of the book, or of the coupon")
    code = serializers.CharField(source="refusal.code")
    detail = serializers.CharField(source="refusal.detail")


@extend_schema_serializer(examples=[response_example("One book is sold out", DRAFT_LIKE_AN_ORDER)])
class OrderedAgainOutput(OrderDetailOutput):
    """The new draft, and what it does not have of the earlier order."""

    left_out = LeftOutOutput(many=True, default=list, read_only=True)

    def to_representation(self, view: DraftView) -> dict[str, Any]:
        left_out = LeftOutOutput(self.context["left_out"], many=True).data
        return {**super().to_representation(view), "left_out": left_out}


class OrderAgain(APIView):
    permission_classes = [OwnerOrStaff.with_permission(FOR_OTHERS)]

    @extend_schema(summary="Order the books of an order again", request=NoInput, responses={201: OrderedAgainOutput})
    @refuses(
        OrderNotFound,
        OrderIsDraft,
        OrderIsEmpty,
        TooManyDrafts,
        NoTaxRate,
        UnknownBook,
        BookArchived,
        OutOfStock,
        HeldTooLong,
    )
    @idempotent_transaction
    def post(self, request: Request, order_id: UUID) -> Response:
        """Opens a draft for the same customer, with the same books, address, payment method and coupon, at the prices
        of now, and reserves the books. Books that cannot be had now, and a coupon that is no longer valid, are
        `left_out`. If that are all books, the request is refused.
        """
        NoInput.read(request)
        order = find_order(order_id, request.user)
        again = order_again(order, actor_of(request.user, order.customer_id))
        view = draft_view(find_order(again.draft_id, request.user))
        body = OrderedAgainOutput(view, context={"left_out": again.left_out}).data
        return Response(body, 201, headers={"Location": f"/orders/{again.draft_id}"})
