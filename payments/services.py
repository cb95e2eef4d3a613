"""What payments can do: charge an order, and undo that. Both ask the gateway, so both are remote operations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.conf import settings

from cloudmart.database.states import move, moved
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.redaction import register_secret
from cloudmart.providers.remote import Accepted, Outcome, Refused, RemoteOperation
from payments.errors import PaymentUnavailable
from payments.gateways.port import gateway
from payments.locks import lock_payment
from payments.models import Payment, Refund, RefundStatus, Status

BY_THE_SAGA = ":saga"
"""The reference of what an order's saga gives back; nobody else can choose it."""


class Chargeable(Protocol):
    """What has to be known of an order to charge it; amounts are in minor units."""

    @property
    def order_id(self) -> UUID: ...
    @property
    def customer_id(self) -> str: ...
    @property
    def amount(self) -> int: ...
    @property
    def payment_method(self) -> str: ...
    @property
    def payment_token(self) -> str: ...


def begin_charge(order: Chargeable) -> Payment | None:
    """The intent to charge the order's total; None when it is charged, declined or given up already."""
    if payment := lock_payment(order.order_id):
        return payment if payment.status == Status.PENDING else None
    payment = _payment_for(order, Status.PENDING, payment_token=order.payment_token)
    payment.save(force_insert=True)
    payment.is_fresh = True
    return payment


def call_charge(order: Chargeable, payment: Payment) -> Outcome:
    """Ask under the payment's own key and token: whoever repeats the charge need not know the order."""
    register_secret(payment.payment_token)
    return gateway().charge(
        payment.idempotency_key,
        order_id=payment.order_id,
        amount=payment.amount,
        currency=settings.CURRENCY,
        method=payment.payment_method,
        token=payment.payment_token,
    )


def settle_charge(order: Chargeable, payment: Payment, outcome: Outcome) -> None:
    match outcome:
        case Accepted(reference):
            name = reference or payment.idempotency_key
            moved(Payment, [payment.pk], Status.CAPTURED, transaction_id=name, payment_token="")
        case Refused(error):
            reason = error.details.get("reason", error.code)
            moved(Payment, [payment.pk], Status.DECLINED, failure=reason, payment_token="")


def lookup_charge(order: Chargeable, payment: Payment) -> Outcome:
    return gateway().lookup(payment.idempotency_key)


charge = RemoteOperation(begin_charge, call_charge, settle_charge, lookup_charge, PaymentUnavailable)


@dataclass(slots=True)
class Undoing:
    """The intent to undo a charge: to drop it, or by these refunds."""

    payment: Payment
    refunds: list[Refund]

    @property
    def is_drop(self) -> bool:
        return self.payment.status == Status.CANCELLING

    @property
    def is_fresh(self) -> bool:
        """Whether nobody can have asked for any of it before."""
        return self.payment.is_fresh if self.is_drop else all(refund.is_fresh for refund in self.refunds)

    @property
    def cancel_key(self) -> str:
        return f"{self.payment.idempotency_key}:cancel"


def begin_refund(order: Chargeable) -> Undoing | None:
    """The intent to undo the order's charge; None when there is nothing to undo, or it is done already.

    An order that was never charged is noted as cancelled, so that it never will be. Of what was partly refunded, the
    rest goes back.
    """
    payment = lock_payment(order.order_id)
    fresh: list[Refund] = []
    if payment and payment.status == Status.CAPTURED:
        fresh = [ask_back(payment, payment.refundable, BY_THE_SAGA)]
    if payment and payment.status == Status.REFUNDING:
        earlier = payment.refunds.filter(status=RefundStatus.PENDING).exclude(pk__in=[refund.pk for refund in fresh])
        return Undoing(payment, [*earlier.order_by("pk"), *fresh])
    return drop(order, payment)


def call_refund(order: Chargeable, undoing: Undoing) -> Outcome:
    payment = undoing.payment
    if undoing.is_drop:
        return gateway().cancel(undoing.cancel_key, charge_key=payment.idempotency_key)
    return _each(
        undoing.refunds,
        lambda refund: gateway().refund(
            refund.idempotency_key, transaction_id=payment.transaction_id, amount=refund.amount
        ),
    )


def settle_refund(order: Chargeable, undoing: Undoing, outcome: Outcome) -> None:
    if not isinstance(outcome, Accepted):
        return
    if undoing.is_drop:
        moved(Payment, [undoing.payment.pk], Status.CANCELLED)
        return
    lock_payment(order.order_id)
    for refund in undoing.refunds:
        moved(Refund, [refund.pk], RefundStatus.REFUNDED, transaction_id=refund.transaction_id)
    if not Refund.objects.filter(payment=undoing.payment, status=RefundStatus.PENDING).exists():
        moved(Payment, [undoing.payment.pk], Status.REFUNDED)


def lookup_refund(order: Chargeable, undoing: Undoing) -> Outcome:
    if undoing.is_drop:
        return gateway().lookup(undoing.cancel_key)
    return _each(undoing.refunds, lambda refund: gateway().lookup(refund.idempotency_key))


refund = RemoteOperation(begin_refund, call_refund, settle_refund, lookup_refund, PaymentUnavailable, undoes=True)


def ask_back(payment: Payment, amount: int, reference: str, reason: str = "") -> Refund:
    """The intent to refund `amount` of this locked payment."""
    refund_id = new_id()
    payment.refunded_amount += amount
    Payment.objects.filter(pk=payment.pk).update(refunded_amount=payment.refunded_amount)
    if not payment.refundable:
        move(payment, Status.REFUNDING)
    refund = Refund.objects.create(
        id=refund_id,
        payment=payment,
        amount=amount,
        reference=reference,
        reason=reason,
        idempotency_key=f"refund-{refund_id}",
    )
    refund.is_fresh = True
    return refund


def drop(order: Chargeable, payment: Payment | None) -> Undoing | None:
    """The intent to drop a charge that was not captured; None when none was made, which is noted, or none is left."""
    if payment is None:
        _payment_for(order, Status.CANCELLED).save(force_insert=True)
        return None
    if payment.status == Status.PENDING:
        move(payment, Status.CANCELLING, payment_token="")
        payment.is_fresh = True
    return Undoing(payment, []) if payment.status == Status.CANCELLING else None


def _each(refunds: list[Refund], ask: Callable[[Refund], Outcome]) -> Outcome:
    """Accepted when all are; else the first outcome that is not."""
    outcome: Outcome = Accepted()
    for each in refunds:
        outcome = ask(each)
        if not isinstance(outcome, Accepted):
            break
        each.transaction_id = outcome.reference
    return outcome


def _payment_for(order: Chargeable, status: Status, payment_token: str = "") -> Payment:
    payment_id: UUID = new_id()
    return Payment(
        id=payment_id,
        order_id=order.order_id,
        active_key=order.order_id,
        customer_id=order.customer_id,
        amount=order.amount,
        payment_method=order.payment_method,
        payment_token=payment_token,
        status=status,
        idempotency_key=f"charge-{payment_id}",
    )
