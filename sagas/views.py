"""Commands that cross contexts: place and cancel an order; and how its saga went."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.idempotency import claim_of, idempotent
from cloudmart.kernel.facts import OrderFacts
from orders.models import SagaStyle
from orders.selectors import find_order
from orders.views import OrderList
from sagas.answers import answer_to_placing, told
from sagas.cancellation import cancel_order
from sagas.placement import place_order
from sagas.selectors import saga_status
from sagas.serializers import CancelInput, OrderInput, SagaStatusOutput


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


class SagaStatus(APIView):
    """GET: the states, steps and facts of an order's saga."""

    def get(self, request: Request, order_id: UUID) -> Response:
        return Response(SagaStatusOutput(saga_status(order_id, request.user)).data)
