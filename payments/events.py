"""The events of payments that leave the shop."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import Sum

from cloudmart.outbox.recording import ORDER, record
from cloudmart.outbox.types import EventType
from payments.models import Payment, Refund, RefundStatus


def record_refunds(payment: Payment, refunds: Sequence[Refund], *, is_mailed: bool) -> None:
    """Records the event of each of these refunds, which this transaction has settled. One of nothing has none."""
    paid_out = [each for each in refunds if each.amount]
    total = _refunded_total(payment) - sum(each.amount for each in paid_out) if paid_out else 0
    for refund in paid_out:
        total += refund.amount
        data = _data(payment, refund, total)
        record(EventType.PAYMENT_REFUNDED, ORDER, payment.order_id, data, is_mailed=is_mailed)


def _data(payment: Payment, refund: Refund, refunded_total: int) -> dict[str, Any]:
    return {
        "order_id": str(payment.order_id),
        "customer_id": payment.customer_id,
        "payment_id": str(payment.pk),
        "refund_id": str(refund.pk),
        "amount": refund.amount,
        "refunded_total": refunded_total,
        "charged": payment.amount,
        "currency": settings.CURRENCY,
        "transaction_id": refund.transaction_id,
        "reference": refund.reference,
        "reason": refund.reason,
    }


def _refunded_total(payment: Payment) -> int:
    made = Refund.objects.filter(payment_id=payment.pk, status=RefundStatus.REFUNDED)
    return made.aggregate(total=Sum("amount"))["total"] or 0
