"""What a client is told about the order that it has placed, now or when it repeats the request."""

from typing import Any

from django.dispatch import receiver
from rest_framework.response import Response

from cloudmart.api.idempotency import store
from cloudmart.api.problems import problem_response
from cloudmart.kernel.errors import OrderInDoubt
from cloudmart.kernel.order import OrderSnapshot
from inventory.errors import ReservationDiffers, ReservationEnded, ReservationExpired
from orders.errors import OrderCancelled
from orders.models import Order, Status
from orders.services import record_of
from payments.errors import PaymentDeclined, PaymentUnavailable
from sagas.desk.doubt import naming_order
from sagas.desk.serializers import OrderAndSagaOutput
from sagas.engine.resting import Rest, came_to_rest
from sagas.errors import SagaFailed, SagaTimedOut
from sagas.models import SagaInstance, State
from shipping.errors import ShippingFailed

ON_THE_WAY = (
    ReservationDiffers,
    ReservationEnded,
    ReservationExpired,
    PaymentDeclined,
    PaymentUnavailable,
    ShippingFailed,
    OrderCancelled,
    SagaTimedOut,
    OrderInDoubt,
)
"""How an order can fail that the desk has taken."""


def answer_with(saga: SagaInstance) -> Response:
    """What the client is answered whose order this saga has driven as far as it would go. Raises SagaFailed."""
    with naming_order(saga.order_id):
        return answer_to_placing(OrderSnapshot.from_json(saga.payload), saga.status, saga.failure)


def answer_to_placing(order: OrderSnapshot, state: str, failure: dict[str, Any] | None) -> Response:
    """201, or of a draft 200, when all is done; 202 when the saga goes on. Raises SagaFailed when all is undone."""
    if state == State.FAILED:
        raise SagaFailed(order.order_id, state, failure)
    record = record_of(order)
    if state == State.COMPLETED:
        record.status = Status.COMPLETED
        return told(record, state, 200 if order.was_draft else 201, where=f"/orders/{record.pk}")
    return told(record, state, 202, where=f"/saga/{record.pk}/status")


def told(order: Order, state: str | None, status: int, where: str | None = None) -> Response:
    """The order, with where its saga stands, if it has one; and where to look for it, or for how it goes on."""
    body = OrderAndSagaOutput(order, context={"saga_status": state}).data
    return Response(body, status=status, headers={"Location": where} if where else None)


@receiver(came_to_rest, sender=SagaInstance, dispatch_uid="store_answer")
def store_answer(rest: Rest, **kwargs: Any) -> None:
    """The idempotency key that the order was placed with is finished in the transaction in which its saga ends."""
    if rest.answers_key:
        try:
            answer = answer_to_placing(rest.order, rest.state, rest.failure)
        except SagaFailed as refusal:
            answer = problem_response(refusal)
        store(rest.answers_key, answer, rest.order.order_id)
