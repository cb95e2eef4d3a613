"""Commands on an order's payment, outside of any saga. Each is idempotent.

`first` runs at the beginning of the command's first transaction, and may raise errors of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.translation import gettext_noop

from cloudmart.kernel.errors import IllegalMove
from cloudmart.providers.calling import nothing, perform
from cloudmart.providers.operation import Intent
from payments.errors import PaymentDeclined, PaymentDiffers, PaymentNotFound, RefundDiffers, RefundExceedsPayment
from payments.locks import lock_payment
from payments.models import TAKEN, Payment, RefundStatus, Status
from payments.services import Charge, Chargeable, Reversal, Reverse, ReverseCharge, create_refund, void

REVERSED = {Status.CANCELLING, Status.CANCELLED, Status.REFUNDING, Status.REFUNDED}


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """How much to charge, in minor units, and by what."""

    order_id: UUID
    amount: int = 0
    payment_method: str = ""
    payment_token: str = field(default="", repr=False)
    customer_id: str = ""


@dataclass(frozen=True, slots=True)
class PartialRefund:
    """How much of a payment to refund: without an `amount`, what is left of it. There is one for each reference."""

    order_id: UUID
    amount: int | None = None
    reference: str = ""
    reason: str = ""


def process(charge: ChargeRequest, first: Callable[[], None] = nothing) -> Payment:
    """Charges an order, once. The payment stays pending while the outcome is not certain.

    Raises PaymentDeclined, PaymentDiffers if the order has another payment, and IllegalMove if that was reversed.
    """
    perform(DirectCharge(), charge, first)
    payment = _payment_of(charge.order_id)
    _check_stands(payment)
    return payment


def cancel(order_id: UUID, first: Callable[[], None] = nothing) -> Payment:
    """Voids a charge that was not captured, or was never made. Raises IllegalMove if the money was taken."""
    perform(DirectVoid(), ChargeRequest(order_id), first)
    return _payment_of(order_id)


def refund(part: PartialRefund, first: Callable[[], None] = nothing) -> Payment:
    """Refunds some or all of what was captured, once for each reference.

    Raises PaymentNotFound, IllegalMove if nothing was captured, RefundExceedsPayment, and RefundDiffers if the
    reference belongs to a refund of another amount.
    """
    perform(DirectRefund(), part, first)
    return _payment_of(part.order_id)


class DirectCharge(Charge):
    def begin(self, order: Chargeable) -> Intent[Payment] | None:
        payment = lock_payment(order.order_id)
        return self.begun(order, payment) if payment else super().begin(order)

    def begun(self, order: Chargeable, payment: Payment | None) -> Intent[Payment] | None:
        if payment:
            _check_stands(payment)
            if (payment.amount, payment.payment_method) != (order.amount, order.payment_method):
                raise PaymentDiffers(amount=payment.amount, payment_method=payment.payment_method)
        return super().begun(order, payment)


class DirectVoid(ReverseCharge):
    command = "CancelPayment"

    def begin(self, order: Chargeable) -> Intent[Reversal] | None:
        payment = lock_payment(order.order_id)
        if payment and payment.status in TAKEN:
            raise IllegalMove(gettext_noop("The money was taken; refund it instead."), payment_status=payment.status)
        return void(order, payment)


class DirectRefund(Reverse[PartialRefund]):
    def begin(self, order: PartialRefund) -> Intent[Reversal] | None:
        payment = lock_payment(order.order_id)
        if payment is None:
            raise PaymentNotFound(order_id=str(order.order_id))
        if payment.status not in TAKEN:
            raise IllegalMove(gettext_noop("Nothing was captured."), payment_status=payment.status)
        if earlier := payment.refunds.filter(reference=order.reference).first():
            if order.amount not in {None, earlier.amount}:
                raise RefundDiffers(reference=order.reference, amount=earlier.amount)
            pending = earlier.status == RefundStatus.PENDING
            return Intent(Reversal(payment, [earlier]), is_new=False) if pending else None
        amount = payment.refundable if order.amount is None else order.amount
        if not 0 < amount <= payment.refundable:
            raise RefundExceedsPayment(refundable=payment.refundable)
        return Intent(Reversal(payment, [create_refund(payment, amount, order.reference, order.reason)]), is_new=True)


def _check_stands(payment: Payment) -> None:
    """Raises IllegalMove if the payment was reversed, and PaymentDeclined if it was declined."""
    if payment.status in REVERSED:
        raise IllegalMove(
            gettext_noop("This payment was reversed, and an order is charged once."), payment_status=payment.status
        )
    if payment.status == Status.DECLINED:
        raise PaymentDeclined(reason=payment.failure)


def _payment_of(order_id: UUID) -> Payment:
    return Payment.objects.prefetch_related("refunds").get(order_id=order_id)
