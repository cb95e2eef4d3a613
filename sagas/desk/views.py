"""Placing and cancelling orders over HTTP."""

from functools import partial
from typing import Any
from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.api.aliases import names_of, unwrapped
from cloudmart.api.deadlines import RespondsAsync, may_respond_async, request_deadline
from cloudmart.api.idempotency import claim_of, first_of, idempotent, in_one_transaction
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import OrderInDoubt
from cloudmart.kernel.limits import OrderTooLarge
from cloudmart.kernel.viewers import actor_of, customer_id_of
from inventory.errors import BookArchived, OutOfStock, PriceChanged, UnknownBook
from orders.drafts import open_draft
from orders.errors import (
    CouponNotValid,
    NoShippingAddress,
    NoTaxRate,
    OrderNotFound,
    RegionDiffers,
    TooManyDrafts,
    UnknownCoupon,
    UnknownCustomer,
)
from orders.guests import store_guest
from orders.selectors import find_order
from orders.views import OrderList
from sagas.desk.cancelling import cancel_order
from sagas.desk.demonstrations import SKIP_STOCK_CHECK, skips_stock_check
from sagas.desk.doubt import naming_order
from sagas.desk.draft_serializers import DraftInput, OrderDetailOutput
from sagas.desk.draft_view import draft_views
from sagas.desk.drafts import cancel_draft
from sagas.desk.examples import DRAFTS, ORDERS, PLACED_ORDER
from sagas.desk.permissions import MayCancelOrder
from sagas.desk.placing import place_order
from sagas.desk.reasons import CANCELLED_BY_CUSTOMER, CANCELLED_BY_SHOP
from sagas.desk.responses import SAGA_FAILURES, order_response, response_to
from sagas.desk.serializers import SHORT_FORM, CancelInput, OrderAndSagaOutput, OrderInput, SagaInput
from sagas.errors import SagaNotFound
from shipping.errors import AlreadyShipped

REFUSALS = (
    OrderTooLarge,
    UnknownBook,
    BookArchived,
    UnknownCustomer,
    UnknownCoupon,
    CouponNotValid,
    NoTaxRate,
    NoShippingAddress,
    RegionDiffers,
    PriceChanged,
    OutOfStock,
)
NAMING_BOOKS = {"items", "payment_token", *(name for member in SHORT_FORM for name in names_of(member))}
"""A request with any of these members places an order; without them it opens a draft."""


@extend_schema_view(get=extend_schema(summary="List orders, newest first", responses=OrderDetailOutput(many=True)))
class Orders(RespondsAsync, OrderList):
    serializer_class = OrderDetailOutput

    def paginate_queryset(self, queryset: Any) -> Any:
        return draft_views(super().paginate_queryset(queryset) or [])

    @extend_schema(
        summary="Place an order, or open a draft",
        parameters=[SKIP_STOCK_CHECK],
        request=PolymorphicProxySerializer("OrderOrDraftInput", [OrderInput, DraftInput], None),
        responses={201: OrderAndSagaOutput, 202: OrderAndSagaOutput},
        examples=[*ORDERS, *DRAFTS, PLACED_ORDER],
    )
    @refuses(*REFUSALS, TooManyDrafts, *SAGA_FAILURES)
    @may_respond_async
    @idempotent
    def post(self, request: Request) -> Response:
        """Reserves the books, takes the payment and arranges the delivery. If one of these fails, undoes the others.

        Name the books in `items`, or a single one by `book_id` and `quantity`. A `price` is what you expect: if the
        shop's price differs, the order is refused. 202: the order is being processed; see Location. A request without
        books opens a draft: add books with `/orders/{order_id}/items`, each of which is reserved when it is added, and
        then `/orders/{order_id}/confirm` it. To order for another customer, staff need the permission
        `orders.place_order_for_others`.
        """
        if not names_books(request):
            return in_one_transaction(request, partial(self.open_draft, request))
        order = OrderInput.of(request).as_request(request.user, skips_stock_check(request))
        return response_to(place_order(order, claim_of(request), request_deadline(request)))

    def open_draft(self, request: Request) -> Response:
        asked = DraftInput.of(request)
        customer = asked.buyer(request.user)
        if asked.is_for_guest:
            store_guest(customer)
        draft = open_draft(customer, asked.changes)
        return order_response(draft, None, 201, location=f"/orders/{draft.pk}")


def names_books(request: Request) -> bool:
    """Returns False if the request opens a draft."""
    body = unwrapped(request.data, OrderInput.wrapper)
    return not isinstance(body, dict) or bool(NAMING_BOOKS & body.keys())


class StartSaga(RespondsAsync):
    @extend_schema(
        summary="Place an order, orchestrated",
        parameters=[SKIP_STOCK_CHECK],
        request=SagaInput,
        responses={201: OrderAndSagaOutput, 202: OrderAndSagaOutput},
    )
    @refuses(*REFUSALS, *SAGA_FAILURES)
    @may_respond_async
    @idempotent
    def post(self, request: Request) -> Response:
        """As `POST /orders` with books."""
        order = SagaInput.of(request).as_request(request.user, skips_stock_check(request))
        return response_to(place_order(order, claim_of(request), request_deadline(request)))


CANCEL = extend_schema(
    summary="Cancel an order", request=CancelInput, responses={200: OrderAndSagaOutput, 202: OrderAndSagaOutput}
)


class CancelOrder(RespondsAsync):
    permission_classes = [MayCancelOrder]

    @CANCEL
    @refuses(OrderNotFound, SagaNotFound, AlreadyShipped, OrderInDoubt)
    @may_respond_async
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """Undoes everything: the parcel, the payment, the reservation or the sale. 202: the order is being undone.

        A draft's books are released, and it stays on record.
        """
        order = find_order(order_id, request.user)
        by_customer = order.customer_id == customer_id_of(request.user)
        reason = CancelInput.read(request).get("reason", CANCELLED_BY_CUSTOMER if by_customer else CANCELLED_BY_SHOP)
        actor = actor_of(request.user, order.customer_id)
        if cancel_draft(order_id, reason, actor, first_of(request)):
            return order_response(find_order(order_id, request.user), None, 200)
        self.check_permissions(request)  # the draft may have been placed meanwhile
        with naming_order(order_id):
            saga = cancel_order(order_id, reason, actor, request_deadline(request))
        order = find_order(order_id, request.user)
        return order_response(order, saga.status, 200 if saga.is_finished else 202)

    put = post
