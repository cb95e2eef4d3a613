"""The event that says how an order's saga has finished, with the whole outcome. It names no person and no address."""

from typing import Any
from uuid import UUID

from django.conf import settings

from cloudmart.database.prepared import Select
from cloudmart.kernel.order import OrderSnapshot, fields_of
from cloudmart.outbox.recording import ORDER, record
from cloudmart.outbox.types import EventType
from orders.models import Status
from payments.models import TAKEN, Payment, Refund, RefundStatus
from sagas.engine.style import SagaResult
from sagas.models import CANCELLED, RETURNED, State
from shipping.models import Shipment

PARCEL_OF = Select(
    lambda order_id: Shipment.objects.filter(order_id=order_id).values_list("carrier", "tracking_number"),
)
BY_CUSTOMER, BY_SHOP = "customer", "shop"
"""Who wanted an order undone."""


def record_outcome(result: SagaResult) -> None:
    """Records the event of an order whose saga finishes in this transaction."""
    event_type, status = _kind_of(result)
    order = result.order
    record(event_type, ORDER, order.order_id, {**_order_data(order), "status": status, **_outcome_data(result)})


def _kind_of(result: SagaResult) -> tuple[EventType, Status]:
    if result.state == State.COMPLETED:
        return EventType.ORDER_COMPLETED, Status.COMPLETED
    if result.failure and result.failure["code"] == RETURNED:
        return EventType.ORDER_RETURNED, Status.RETURNED
    return EventType.ORDER_CANCELLED, Status.CANCELLED


def _order_data(order: OrderSnapshot) -> dict[str, Any]:
    return {
        "order_id": str(order.order_id),
        "customer_id": order.customer_id,
        "style": order.saga_style,
        "lines": list(map(fields_of, order.lines)),
        **fields_of(order.totals),
        "currency": settings.CURRENCY,
        "coupon": order.coupon,
        "payment_method": order.payment_method,
        "placed_at": order.placed_at.isoformat(),
    }


def _outcome_data(result: SagaResult) -> dict[str, Any]:
    order, is_completed = result.order, result.state == State.COMPLETED
    return {
        "reason": None if is_completed else _reason(result.failure or {}),
        "cancelled_by": None if is_completed else _cancelled_by(result),
        "payment": _charged(order.amount) if is_completed else _payment_of(order.order_id),
        "parcel": _parcel_of(result),
    }


def _reason(failure: dict[str, Any]) -> dict[str, Any]:
    """Returns why the order is undone; `reason` is what the provider, or who has cancelled, gave as the reason."""
    return {"code": failure["code"], "detail": failure["detail"], "reason": failure.get("reason", "")}


def _cancelled_by(result: SagaResult) -> str | None:
    """Returns who wanted the order undone; None if it has failed. Only customers send books back."""
    code = (result.failure or {}).get("code")
    if code not in {CANCELLED, RETURNED}:
        return None
    return BY_CUSTOMER if code == RETURNED or result.actor == result.order.customer_id else BY_SHOP


def _charged(amount: int) -> dict[str, Any]:
    """Returns the payment of an order that completes: nothing of it can be refunded before."""
    return {"charged": amount, "refunded": 0, "refunds": []}


def _payment_of(order_id: UUID) -> dict[str, Any]:
    charges = Payment.objects.filter(order_id=order_id, status__in=TAKEN).values_list("amount", flat=True)
    made = Refund.objects.filter(payment__order_id=order_id, status=RefundStatus.REFUNDED, amount__gt=0)
    refunds = list(made.order_by("pk").values_list("pk", "amount"))
    return {
        "charged": sum(charges),
        "refunded": sum(amount for _, amount in refunds),
        "refunds": [{"refund_id": str(pk), "amount": amount} for pk, amount in refunds],
    }


def _parcel_of(result: SagaResult) -> dict[str, str] | None:
    """Returns None if the carrier has accepted no parcel. That of an undone order is cancelled, or has come back.

    The parcel is read only if this transaction has not settled its delivery.
    """
    carrier, tracking_number = result.settled.get("carrier", ""), result.settled.get("tracking_number", "")
    if not tracking_number:
        carrier, tracking_number = PARCEL_OF.first(order_id=result.order.order_id) or ("", "")
    return {"carrier": carrier, "tracking_number": tracking_number} if tracking_number else None
