"""Commands that cross contexts: place and cancel an order; and how its saga went."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.idempotency import claim_of, idempotent
from cloudmart.api.permissions import IsOperator
from cloudmart.api.schema import refuses
from cloudmart.kernel.facts import OrderFacts
from inventory.errors import OutOfStock, PriceChanged, ReservationExpired, UnknownBook
from orders.errors import NoShippingAddress, OrderCancelled, OrderNotFound, UnknownCoupon, UnknownCustomer
from orders.models import SagaStyle
from orders.selectors import find_order
from orders.views import OrderList
from payments.errors import PaymentDeclined, PaymentUnavailable
from sagas.answers import answer_to_placing, told
from sagas.cancellation import cancel_order
from sagas.errors import SagaNotFound, SagaRunning
from sagas.models import SagaInstance
from sagas.placement import place_order
from sagas.recovery import retry_saga
from sagas.selectors import saga_status
from sagas.serializers import CancelInput, NoInput, OrderAndSagaOutput, OrderInput, SagaStatusOutput
from shipping.errors import AlreadyShipped, ShippingFailed

AT_THE_DESK = (UnknownBook, UnknownCustomer, UnknownCoupon, NoShippingAddress, PriceChanged, OutOfStock)
ON_THE_WAY = (ReservationExpired, PaymentDeclined, PaymentUnavailable, ShippingFailed, OrderCancelled)


class Orders(OrderList):
    style: SagaStyle | None = None
    """Set where the path decides the style."""

    @extend_schema(
        summary="Place an order",
        request=OrderInput,
        responses={201: OrderAndSagaOutput, 202: OrderAndSagaOutput},
    )
    @refuses(*AT_THE_DESK, *ON_THE_WAY)
    @idempotent
    def post(self, request: Request) -> Response:
        """Holds the books, takes the money, books the delivery; when any of these fails, undoes the others.

        Name the books in `items`, or a single one by `book_id` and `quantity`. A `price` is what you expect: the shop
        charges its own, and refuses the order when they differ. 202: a provider gave no sure answer yet; look at
        Location.
        """
        asked = OrderInput(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        saga = place_order(asked.as_request(self.style), claim_of(request))
        return answer_to_placing(OrderFacts.from_json(saga.payload), saga.status, saga.failure)


CANCEL = extend_schema(
    summary="Cancel an order",
    request=CancelInput,
    responses={200: OrderAndSagaOutput, 202: OrderAndSagaOutput},
)


class CancelOrder(APIView):
    @CANCEL
    @refuses(OrderNotFound, SagaNotFound, AlreadyShipped)
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """Undoes everything: the parcel, the payment, the hold or the sale. 202: the saga is still turning back."""
        find_order(order_id, request.user)
        asked = CancelInput.read(request)
        saga = cancel_order(order_id, asked["reason"])
        return told(find_order(order_id, request.user), saga.status, 200 if saga.at_rest else 202)

    put = post


class CancelSaga(APIView):
    permission_classes = [IsOperator]

    @extend_schema(
        summary="Have an order's saga undo everything",
        request=CancelInput,
        responses={200: SagaStatusOutput, 202: SagaStatusOutput},
    )
    @refuses(SagaNotFound, AlreadyShipped)
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """For operators. As cancelling the order, but answers with the saga."""
        asked = CancelInput.read(request)
        return saga_told(cancel_order(order_id, asked["reason"]), request.user)


class RetrySaga(APIView):
    permission_classes = [IsOperator]

    @extend_schema(
        summary="Have a waiting saga go on now",
        request=NoInput,
        responses={200: SagaStatusOutput, 202: SagaStatusOutput},
    )
    @refuses(SagaNotFound, SagaRunning)
    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        """For operators. Asks the provider again, with the same key. A saga at rest stays as it is."""
        NoInput.read(request)
        return saga_told(retry_saga(order_id), request.user)


class SagaStatus(APIView):
    @extend_schema(summary="How an order's saga went, or goes", responses=SagaStatusOutput)
    @refuses(OrderNotFound, SagaNotFound)
    def get(self, request: Request, order_id: UUID) -> Response:
        """The states that it has been in, every step and undo with its tries, every fact."""
        return Response(SagaStatusOutput(saga_status(order_id, request.user)).data)


def saga_told(saga: SagaInstance, viewer: Any) -> Response:
    """How the saga stands; 202 while it goes on."""
    return Response(SagaStatusOutput(saga_status(saga.order_id, viewer)).data, 200 if saga.at_rest else 202)
