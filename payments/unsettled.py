"""Charges, voids and refunds whose outcome is not known: repeated under their own keys until it is."""

from cloudmart.providers.operation import Intent, OfOrder
from cloudmart.providers.records import intent_while
from cloudmart.providers.unsettled import Found, Unsettled
from payments.locks import lock_payment
from payments.models import Payment, Refund, RefundStatus, Status
from payments.services import Charge, Reversal, Reverse


class ResumeCharge(Charge):
    def begin(self, order: OfOrder) -> Intent[Payment] | None:
        return intent_while(Status.PENDING, lock_payment(order.order_id))


class ResumeVoid(Reverse[Found]):
    command = "CancelPayment"

    def begin(self, order: Found) -> Intent[Reversal] | None:
        intent = intent_while(Status.CANCELLING, lock_payment(order.order_id))
        return Intent(Reversal(intent.record, []), is_new=False) if intent else None


class ResumeRefund(Reverse[Found]):
    def begin(self, order: Found) -> Intent[Reversal] | None:
        payment = lock_payment(order.order_id)
        refund = Refund.objects.filter(pk=order.pk, status=RefundStatus.PENDING).first()
        return Intent(Reversal(payment, [refund]), is_new=False) if payment and refund else None


UNSETTLED = (
    Unsettled("charge", lambda: Payment.objects.filter(status=Status.PENDING), ResumeCharge()),
    Unsettled("void", lambda: Payment.objects.filter(status=Status.CANCELLING), ResumeVoid()),
    Unsettled(
        "refund", lambda: Refund.objects.filter(status=RefundStatus.PENDING), ResumeRefund(), "payment__order_id"
    ),
)
