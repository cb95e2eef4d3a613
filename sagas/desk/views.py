"""Commands that cross contexts: place and cancel an order; and how its saga went."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.deadlines import may_respond_async, request_deadline
from cloudmart.api.examples import DRAFTS, ORDERS, PLACED_ORDER
from cloudmart.api.fields import StrictSerializer
from cloudmart.api.idempotency import claim_of, honours_key, idempotent, idempotent_transaction
from cloudmart.api.permissions import Staff
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import OrderInDoubt
from cloudmart.kernel.limits import OrderTooLarge
from cloudmart.kernel.viewers import actor_of, customer_id_of
from inventory.errors import OutOfStock, PriceChanged, UnknownBook
from orders.drafts import open_draft
from orders.errors import (
    NoShippingAddress,
    OrderNotFound,
    RegionDiffers,
    TooManyDrafts,
    UnknownCoupon,
    UnknownCustomer,
)
from orders.models import SagaStyle
from orders.selectors import find_order
from orders.views import OrderList
from sagas.desk.cancelling import CANCELLED_BY_CUSTOMER, CANCELLED_BY_SHOP
from sagas.desk.doubt import naming_order
from sagas.desk.draft_serializers import DraftInput
from sagas.desk.drafts import cancel_draft
from sagas.desk.permissions import MayCancelOrder
from sagas.desk.placing import place_order
from sagas.desk.responses import ON_THE_WAY, answer_with, told
from sagas.desk.serializers import (
    SHORT_FORM,
    CancelInput,
    CancelSagaInput,
    CompensateInput,
    GiveUpInput,
    OrderAndSagaOutput,
    OrderInput,
    ResumeInput,
    RetryInput,
    SagaStatusOutput,
    buyer,
)
from sagas.errors import SagaAbandoned, SagaNotFound, SagaRunning
from sagas.models import SagaInstance, Verb
from sagas.operations.commands import command
from sagas.selectors import look_at_holds, saga_status
from shipping.errors import AlreadyShipped

AT_THE_DESK = (
    OrderTooLarge,
    UnknownBook,
    UnknownCustomer,
    UnknownCoupon,
    NoShippingAddress,
    RegionDiffers,
    PriceChanged,
    OutOfStock,
)
NAMING_BOOKS = {"items", *SHORT_FORM, "payment_token"}
"""A request with any of these is meant to place an order; without them it opens a draft."""


class Orders(OrderList):
    style: SagaStyle | None = None
    """None: the request says which, or the settings."""

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        look_at_holds(page or [])
        return page

    @extend_schema(
        summary="Place an order, or open a draft",
        request=PolymorphicProxySerializer("OrderOrDraftInput", [OrderInput, DraftInput], None),
        responses={201: OrderAndSagaOutput, 202: OrderAndSagaOutput},
        examples=[*ORDERS, *DRAFTS, PLACED_ORDER],
    )
    @refuses(*AT_THE_DESK, TooManyDrafts, *ON_THE_WAY)
    @may_respond_async
    @honours_key
    def post(self, request: Request) -> Response:
        """Holds the books, takes the money, books the delivery; when any of these fails, undoes the others.

        Name the books in `items`, or a single one by `book_id` and `quantity`. A `price` is what you expect: the shop
        charges its own, and refuses the order when they differ. 202: it goes on; look at Location. Without any book it
        is a draft: add books with `/orders/{order_id}/items`, each of which is held as it is added, and then
        `/orders/{order_id}/confirm` it. For another customer staff need the permission
        `orders.place_order_for_others`.
        """
        is_draft = isinstance(request.data, dict) and not NAMING_BOOKS & request.data.keys()
        return self.open_draft(request) if is_draft else self.place(request)

    @idempotent
    def place(self, request: Request) -> Response:
        asked = OrderInput(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.as_request(request.user, self.style)
        return answer_with(place_order(wanted, claim_of(request), request_deadline(request)))

    @idempotent_transaction
    def open_draft(self, request: Request) -> Response:
        asked = DraftInput(data=request.data)
        asked.is_valid(raise_exception=True)
        draft = open_draft(buyer(request.user, asked.validated_data.get("customer_id")), asked.wishes)
        return told(draft, None, 201, where=f"/orders/{draft.pk}")


class StartSaga(Orders):
    style = SagaStyle.ORCHESTRATION

    @extend_schema(
        summary="Place an order, orchestrated",
        request=OrderInput,
        responses={201: OrderAndSagaOutput, 202: OrderAndSagaOutput},
    )
    @refuses(*AT_THE_DESK, *ON_THE_WAY)
    @may_respond_async
    @honours_key
    def post(self, request: Request) -> Response:
        """As `POST /orders` with books."""
        return self.place(request)


CANCEL = extend_schema(
    summary="Cancel an order",
    request=CancelInput,
    responses={200: OrderAndSagaOutput, 202: OrderAndSagaOutput},
)


class CancelOrder(APIView):
    permission_classes = [MayCancelOrder]

    @CANCEL
    @refuses(OrderNotFound, SagaNotFound, AlreadyShipped, OrderInDoubt)
    @may_respond_async
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """Undoes everything: the parcel, the payment, the hold or the sale. 202: the saga is still turning back.

        A draft is given up: its books are given back, and it stays on record.
        """
        order = find_order(order_id, request.user)
        by_customer = order.customer_id == customer_id_of(request.user)
        reason = CancelInput.read(request).get("reason", CANCELLED_BY_CUSTOMER if by_customer else CANCELLED_BY_SHOP)
        actor = actor_of(request.user, order.customer_id)
        if cancel_draft(order_id, reason, actor):
            return told(find_order(order_id, request.user), None, 200)
        self.check_permissions(request)  # the draft may have been placed meanwhile
        with naming_order(order_id):
            saga = command(Verb.CANCEL, order_id, actor, reason, request_deadline(request))
        return told(find_order(order_id, request.user), saga.status, 200 if saga.is_finished else 202)

    put = post


class CancelSaga(APIView):
    permission_classes = [Staff.with_permission("sagas.cancel_saga")]

    @extend_schema(
        summary="Have an order's saga undo everything",
        request=CancelSagaInput,
        responses={200: SagaStatusOutput, 202: SagaStatusOutput},
    )
    @refuses(SagaNotFound, AlreadyShipped, OrderInDoubt)
    @may_respond_async
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """For operators. As cancelling the order, but answers with the saga."""
        return commanded(request, order_id, Verb.CANCEL, CancelSagaInput)


class RetrySaga(APIView):
    permission_classes = [Staff.with_permission("sagas.retry_saga")]

    @extend_schema(
        summary="Have a waiting saga go on now",
        request=RetryInput,
        responses={200: SagaStatusOutput, 202: SagaStatusOutput},
    )
    @refuses(SagaNotFound, SagaRunning, SagaAbandoned, OrderInDoubt)
    @may_respond_async
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """For operators. Asks the provider again, with the same key.

        A saga at rest stays as it is. One that was abandoned is refused: resume it.
        """
        return commanded(request, order_id, Verb.RETRY, RetryInput)


class ResumeSaga(APIView):
    permission_classes = [Staff.with_permission("sagas.resume_saga")]

    @extend_schema(
        summary="Have an abandoned saga go on",
        request=ResumeInput,
        responses={200: SagaStatusOutput, 202: SagaStatusOutput},
    )
    @refuses(SagaNotFound, SagaRunning, OrderInDoubt)
    @may_respond_async
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """For operators. It goes on now, in the direction that it had: its order may be charged and sent, or refunded.

        A saga that was not abandoned stays as it is.
        """
        return commanded(request, order_id, Verb.RESUME, ResumeInput)


class CompensateSaga(APIView):
    permission_classes = [Staff.with_permission("sagas.compensate_saga")]

    @extend_schema(
        summary="Have an order's saga turn back now",
        request=CompensateInput,
        responses={200: SagaStatusOutput, 202: SagaStatusOutput},
    )
    @refuses(SagaNotFound, SagaRunning, AlreadyShipped, OrderInDoubt)
    @may_respond_async
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """For operators. Undoes at once what a waiting saga has done, where cancelling it only leaves word.

        A saga that turns back already goes on with that, one that has completed is cancelled, one that has failed
        stays as it is.
        """
        return commanded(request, order_id, Verb.COMPENSATE, CompensateInput)


class GiveUpSaga(APIView):
    permission_classes = [Staff.with_permission("sagas.abandon_saga")]

    @extend_schema(
        summary="Abandon a saga: have nobody try it again",
        request=GiveUpInput,
        responses=SagaStatusOutput,
    )
    @refuses(SagaNotFound, SagaRunning, OrderInDoubt)
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """For operators, where what a saga waits for will never come: a refund that no provider takes any more, say.

        The saga stays in its state, with the reason as its `attention`. Nothing is undone: what is held stays held,
        and what is owed stays owed. Resume or compensate it to have it go on. A saga at rest stays as it is.
        """
        answer = commanded(request, order_id, Verb.GIVE_UP, GiveUpInput)
        answer.status_code = 200
        return answer


class SagaStatus(APIView):
    @extend_schema(summary="How an order's saga went, or goes", responses=SagaStatusOutput)
    @refuses(OrderNotFound, SagaNotFound)
    def get(self, request: Request, order_id: UUID) -> Response:
        """The states that it has been in, every step and undo with its tries, every fact."""
        return Response(SagaStatusOutput(saga_status(order_id, request.user)).data)


def commanded(request: Request, order_id: UUID, verb: Verb, asking: type[StrictSerializer]) -> Response:
    """What came of it when somebody had a saga do this."""
    reason = asking.read(request)["reason"]
    with naming_order(order_id):
        saga = command(verb, order_id, actor_of(request.user), reason, request_deadline(request))
    return saga_told(saga, request.user)


def saga_told(saga: SagaInstance, viewer: Any) -> Response:
    """How the saga stands; 202 while it goes on."""
    return Response(SagaStatusOutput(saga_status(saga.order_id, viewer)).data, 200 if saga.is_finished else 202)
