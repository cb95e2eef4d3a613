"""Charges and refunds whose outcome is not known: repeated under their own keys until it is."""

from dataclasses import replace

from cloudmart.providers.unsettled import Found, Unsettled
from payments import services
from payments.locks import lock_payment
from payments.models import Payment, Refund, RefundStatus, Status
from payments.services import Undoing


def _begin_charge(found: Found) -> Payment | None:
    payment = lock_payment(found.order_id)
    return payment if payment and payment.status == Status.PENDING else None


def _begin_void(found: Found) -> Undoing | None:
    payment = lock_payment(found.order_id)
    return Undoing(payment, []) if payment and payment.status == Status.CANCELLING else None


def _begin_refund(found: Found) -> Undoing | None:
    payment = lock_payment(found.order_id)
    refund = Refund.objects.filter(pk=found.pk, status=RefundStatus.PENDING).first()
    return Undoing(payment, [refund]) if payment and refund else None


UNSETTLED = (
    Unsettled(
        "charge",
        lambda: Payment.objects.filter(status=Status.PENDING),
        replace(services.charge, begin=_begin_charge),
    ),
    Unsettled(
        "void",
        lambda: Payment.objects.filter(status=Status.CANCELLING),
        replace(services.refund, begin=_begin_void),
    ),
    Unsettled(
        "refund",
        lambda: Refund.objects.filter(status=RefundStatus.PENDING),
        replace(services.refund, begin=_begin_refund),
        order_id="payment__order_id",
    ),
)
