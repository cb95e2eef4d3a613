"""Commands that cross contexts: place and cancel an order; and how its saga went."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.idempotency import claim_of, idempotent
from cloudmart.api.permissions import IsOperator
from cloudmart.kernel.facts import OrderFacts
from orders.models import SagaStyle
from orders.selectors import find_order
from orders.views import OrderList
from sagas.answers import answer_to_placing, told
from sagas.cancellation import cancel_order
from sagas.models import SagaInstance
from sagas.placement import place_order
from sagas.recovery import retry_saga
from sagas.selectors import saga_status
from sagas.serializers import CancelInput, NoInput, OrderInput, SagaStatusOutput


class Orders(OrderList):
    """GET: a page of orders, newest first. POST: place an order."""

    style: SagaStyle | None = None
    """Set where the path decides the style."""

    @idempotent
    def post(self, request: Request) -> Response:
        asked = OrderInput(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        saga = place_order(asked.as_request(self.style), claim_of(request))
        return answer_to_placing(OrderFacts.from_json(saga.payload), saga.status, saga.failure)


class CancelOrder(APIView):
    """PUT or POST: cancel an order; undoes everything."""

    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        find_order(order_id, request.user)
        asked = CancelInput(data=request.data)
        asked.is_valid(raise_exception=True)
        saga = cancel_order(order_id, asked.validated_data["reason"])
        return told(find_order(order_id, request.user), saga.status, 200 if saga.at_rest else 202)

    put = post


class CancelSaga(APIView):
    """POST: have an order's saga undo everything."""

    permission_classes = [IsOperator]

    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        asked = CancelInput(data=request.data)
        asked.is_valid(raise_exception=True)
        return saga_told(cancel_order(order_id, asked.validated_data["reason"]), request.user)


class RetrySaga(APIView):
    """POST: have a waiting saga go on now."""

    permission_classes = [IsOperator]

    @idempotent
    def post(self, request: Request, order_id: UUID) -> Response:
        NoInput(data=request.data).is_valid(raise_exception=True)
        return saga_told(retry_saga(order_id), request.user)


class SagaStatus(APIView):
    """GET: the states, steps and facts of an order's saga."""

    def get(self, request: Request, order_id: UUID) -> Response:
        return Response(SagaStatusOutput(saga_status(order_id, request.user)).data)


def saga_told(saga: SagaInstance, viewer: Any) -> Response:
    """How the saga stands; 202 while it goes on."""
    return Response(SagaStatusOutput(saga_status(saga.order_id, viewer)).data, 200 if saga.at_rest else 202)
