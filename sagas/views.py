"""Commands that cross contexts: place and cancel an order; and how its saga went."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.kernel.facts import OrderFacts
from orders.models import Order, SagaStyle, Status
from orders.selectors import find_order
from orders.serializers import OrderOutput
from orders.services import record_of
from orders.views import OrderList
from sagas.cancellation import cancel_order
from sagas.errors import SagaFailed
from sagas.models import SagaInstance, State
from sagas.placement import place_order
from sagas.selectors import saga_status
from sagas.serializers import CancelInput, OrderInput, SagaStatusOutput


class Orders(OrderList):
    """GET: a page of orders, newest first. POST: place an order."""

    style: SagaStyle | None = None
    """Set where the path decides the style."""

    def post(self, request: Request) -> Response:
        asked = OrderInput(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        saga = place_order(asked.as_request(self.style))
        if saga.status == State.FAILED:
            raise SagaFailed(saga)
        order = record_of(OrderFacts.from_json(saga.payload))
        if saga.status == State.COMPLETED:
            order.status = Status.COMPLETED
            return told(order, saga, 201, where=f"/orders/{order.pk}")
        return told(order, saga, 202, where=f"/saga/{order.pk}/status")


class CancelOrder(APIView):
    """PUT or POST: cancel an order; undoes everything."""

    def post(self, request: Request, order_id: UUID) -> Response:
        find_order(order_id, request.user)
        asked = CancelInput(data=request.data)
        asked.is_valid(raise_exception=True)
        saga = cancel_order(order_id, asked.validated_data["reason"])
        return told(find_order(order_id, request.user), saga, 200 if saga.at_rest else 202)

    put = post


class SagaStatus(APIView):
    """GET: the states, steps and facts of an order's saga."""

    def get(self, request: Request, order_id: UUID) -> Response:
        return Response(SagaStatusOutput(saga_status(order_id, request.user)).data)


def told(order: Order, saga: SagaInstance, status: int, where: str | None = None) -> Response:
    """The order, with where its saga stands; and where to look for it, or for how it goes on."""
    body = {**OrderOutput(order).data, "saga_status": saga.status}
    return Response(body, status=status, headers={"Location": where} if where else None)
