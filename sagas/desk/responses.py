"""The response to the client who has placed an order, now or when the request is repeated."""

from typing import Any

from rest_framework.response import Response

from cloudmart.api.claims import store
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
from sagas.engine.style import SagaResult
from sagas.errors import SagaFailed, SagaTimedOut
from sagas.models import SagaInstance, State
from shipping.errors import ShippingFailed

SAGA_FAILURES = (
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
"""How an order can fail after it was stored."""


def response_to(saga: SagaInstance) -> Response:
    """Returns the response to placing the order of this saga. Raises SagaFailed."""
    with naming_order(saga.order_id):
        return saga.outcome or placing_response(saga.order, saga.status, saga.failure)


def placing_response(order: OrderSnapshot, state: str, failure: dict[str, Any] | None) -> Response:
    """Returns 201, for a draft 200, if the saga is completed; 202 if it is not finished. Raises SagaFailed."""
    if state == State.FAILED:
        raise SagaFailed(order.order_id, state, failure)
    record = record_of(order)
    if state == State.COMPLETED:
        record.status = Status.COMPLETED
        return order_response(record, state, 200 if order.was_draft else 201, location=f"/orders/{record.pk}")
    return order_response(record, state, 202, location=f"/saga/{record.pk}/status")


def order_response(order: Order, state: str | None, status: int, location: str | None = None) -> Response:
    """Returns the order with the state of its saga, if it has one."""
    body = OrderAndSagaOutput(order, context={"saga_status": state}).data
    return Response(body, status=status, headers={"Location": location} if location else None)


def store_response(result: SagaResult) -> Response | None:
    """Stores the response for the idempotency key that the order was placed with, if there was one.

    Returns it, unless the saga has failed.
    """
    if not result.idempotency_scope:
        return None
    try:
        response = placing_response(result.order, result.state, result.failure)
    except SagaFailed as failure:
        store(result.idempotency_scope, problem_response(failure), result.order.order_id)
        return None
    store(result.idempotency_scope, response, result.order.order_id)
    return response
