"""What is mailed to the customer: how the order's saga has finished, and of what is refunded or shipped later."""

from typing import Any
from uuid import UUID

from django.db.models import Sum

from orders.mails.recording import record, record_once
from orders.models import Mail, Order, Outcome
from orders.services import record_of
from payments.models import TAKEN, Payment, Refund, RefundStatus
from payments.services import Reversal
from sagas.desk.reasons import CANCELLED_BY_SHOP, STOPPED_BY_SHOP
from sagas.engine.style import SagaResult
from sagas.models import CANCELLED, RETURNED, SagaInstance, State
from shipping.models import Shipment

NO_MESSAGE = {CANCELLED_BY_SHOP, STOPPED_BY_SHOP}
"""Reasons that no operator has written."""


def record_mail(result: SagaResult) -> None:
    """Records the mail of an order whose saga finishes in this transaction."""
    order = record_of(result.order)
    if result.state == State.COMPLETED:
        record(order, Outcome.COMPLETED)
    elif result.failure and result.failure["code"] == RETURNED:
        record(order, Outcome.RETURNED, **money_of(order.pk))
    else:
        record(order, Outcome.CANCELLED, **why(result), **money_of(order.pk))


def why(result: SagaResult) -> dict[str, Any]:
    """Returns why the order was undone. Operators write the reason of a cancellation for the customer to read."""
    failure: dict[str, Any] = result.failure or {}
    is_cancelled, by_customer = failure["code"] == CANCELLED, result.actor == result.order.customer_id
    reason = failure.get("reason", "")
    has_message = is_cancelled and not by_customer and reason not in NO_MESSAGE
    return {
        "code": failure["code"],
        "reason": "" if is_cancelled else reason,
        "by_customer": is_cancelled and by_customer,
        "message": reason if has_message else "",
    }


def money_of(order_id: UUID) -> dict[str, int]:
    """Returns what was charged, and what of it is refunded without a mail of its own."""
    mailed = Mail.objects.filter(order=order_id, outcome=Outcome.REFUNDED).values_list("reference", flat=True)
    refunds = Refund.objects.filter(payment__order_id=order_id, status=RefundStatus.REFUNDED)
    without_mail = refunds.exclude(pk__in=list(mailed))
    charged = Payment.objects.filter(order_id=order_id, status__in=TAKEN).aggregate(total=Sum("amount"))
    return {"charged": charged["total"] or 0, "refunded": without_mail.aggregate(total=Sum("amount"))["total"] or 0}


def record_mails_of_refunds(reversal: Reversal) -> None:
    """Records a mail for each refund of a direct command, in the transaction that settles it.

    An order that is being undone, or is undone, has none: the mail about that names the amount.
    """
    order_id = reversal.payment.order_id
    order = Order.objects.filter(pk=order_id).first()
    saga = SagaInstance.objects.filter(order_id=order_id).first()
    if order and not (saga and saga.is_compensating):
        for refund in reversal.refunds:
            record_once(order, Outcome.REFUNDED, str(refund.pk), amount=refund.amount)


def record_mail_of_parcel(parcel: Shipment) -> None:
    """Records the mail of a parcel that becomes shipped in this transaction; none if its order is not ours."""
    if order := Order.objects.filter(pk=parcel.order_id).first():
        record_once(order, Outcome.SHIPPED, carrier=parcel.carrier, tracking_number=parcel.tracking_number)
