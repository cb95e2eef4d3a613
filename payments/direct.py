"""Payments asked for by themselves, outside of any order's saga. Each is idempotent: asked twice, it is done once.

Each raises what its guard forbids it with.
"""

from dataclasses import dataclass, field, replace
from uuid import UUID

from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.guards import Guard, guarded, unguarded
from cloudmart.providers.remote import perform
from payments import services
from payments.errors import PaymentDeclined, PaymentDiffers, PaymentNotFound, RefundDiffers, RefundExceedsPayment
from payments.locks import lock_payment
from payments.models import TAKEN, Payment, RefundStatus, Status
from payments.selectors import payments_of

UNDONE = {Status.CANCELLING, Status.CANCELLED, Status.REFUNDING, Status.REFUNDED}


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged, in minor units, and by what."""

    order_id: UUID
    amount: int = 0
    payment_method: str = ""
    payment_token: str = field(default="", repr=False)
    customer_id: str = ""


@dataclass(frozen=True, slots=True)
class PartialRefund:
    """Some of a payment, or with no `amount` the rest of it, asked back under a name."""

    order_id: UUID
    amount: int | None = None
    reference: str = ""
    reason: str = ""


def process(charge: Charge, guard: Guard = unguarded) -> Payment:
    """Charge an order, once. The payment stays pending while the provider's answer is not sure.

    Raises PaymentDeclined, PaymentDiffers when the order has another payment, and IllegalMove when that was undone.
    """
    perform(replace(services.charge, begin=guarded(_begin_process, guard)), charge)
    payment = _payment_of(charge.order_id)
    _check_stands(payment)
    return payment


def cancel(order_id: UUID, guard: Guard = unguarded) -> Payment:
    """Drop a charge that was not captured, or never asked for. Raises IllegalMove when the money was taken."""
    perform(replace(services.refund, begin=guarded(_begin_cancel, guard)), Charge(order_id))
    return _payment_of(order_id)


def refund(part: PartialRefund, guard: Guard = unguarded) -> Payment:
    """Give back some or all of what was captured, once for each reference.

    Raises PaymentNotFound, IllegalMove when nothing was captured, RefundExceedsPayment, and RefundDiffers when the
    reference stands for another amount.
    """
    perform(replace(services.refund, begin=guarded(_begin_refund, guard)), part)
    return _payment_of(part.order_id)


def _begin_process(charge: Charge) -> Payment | None:
    if payment := lock_payment(charge.order_id):
        _check_stands(payment)
        if (payment.amount, payment.payment_method) != (charge.amount, charge.payment_method):
            raise PaymentDiffers(amount=payment.amount, payment_method=payment.payment_method)
    return services.begin_charge(charge)


def _begin_cancel(charge: Charge) -> services.Undoing | None:
    payment = lock_payment(charge.order_id)
    if payment and payment.status in TAKEN:
        raise IllegalMove("The money was taken; refund it instead.", payment_status=payment.status)
    return services.drop(charge, payment)


def _begin_refund(part: PartialRefund) -> services.Undoing | None:
    payment = lock_payment(part.order_id)
    if payment is None:
        raise PaymentNotFound(order_id=str(part.order_id))
    if payment.status not in TAKEN:
        raise IllegalMove("Nothing was captured.", payment_status=payment.status)
    if known := payment.refunds.filter(reference=part.reference).first():
        if part.amount not in {None, known.amount}:
            raise RefundDiffers(reference=part.reference, amount=known.amount)
        return services.Undoing(payment, [known]) if known.status == RefundStatus.PENDING else None
    amount = payment.refundable if part.amount is None else part.amount
    if not 0 < amount <= payment.refundable:
        raise RefundExceedsPayment(refundable=payment.refundable)
    return services.Undoing(payment, [services.ask_back(payment, amount, part.reference, part.reason)])


def _check_stands(payment: Payment) -> None:
    if payment.status in UNDONE:
        raise IllegalMove("This payment was undone, and an order is charged once.", payment_status=payment.status)
    if payment.status == Status.DECLINED:
        raise PaymentDeclined(reason=payment.failure)


def _payment_of(order_id: UUID) -> Payment:
    return payments_of(order_id).prefetch_related("refunds")[0]
