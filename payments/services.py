"""What payments can do: charge an order, and undo that. Both ask the gateway, so both are remote operations."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from cloudmart.kernel.facts import OrderFacts
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.remote import Accepted, Outcome, Refused, RemoteOperation
from cloudmart.kernel.states import moved
from payments.errors import PaymentUnavailable
from payments.gateways.port import gateway
from payments.locks import lock_payment
from payments.models import Payment, Refund, RefundStatus, Status


def begin_charge(order: OrderFacts) -> Payment | None:
    """The intent to charge the order's total; None when it is charged, declined or given up already."""
    if payment := lock_payment(order.order_id):
        return payment if payment.status == Status.PENDING else None
    payment = _payment_for(order, Status.PENDING)
    payment.active_key = order.order_id
    payment.save(force_insert=True)
    return payment


def call_charge(order: OrderFacts, payment: Payment) -> Outcome:
    return gateway().charge(
        payment.idempotency_key,
        amount=payment.amount,
        currency=settings.CURRENCY,
        method=payment.payment_method,
        token=order.payment_token,
    )


def settle_charge(order: OrderFacts, payment: Payment, outcome: Outcome) -> None:
    match outcome:
        case Accepted(reference):
            moved(Payment, [payment.pk], Status.CAPTURED, transaction_id=reference)
        case Refused(error):
            reason = error.facts.get("reason", error.code)
            moved(Payment, [payment.pk], Status.DECLINED, active_key=None, failure=reason)


def lookup_charge(order: OrderFacts, payment: Payment) -> Outcome:
    return gateway().lookup(payment.idempotency_key)


charge = RemoteOperation(begin_charge, call_charge, settle_charge, lookup_charge, PaymentUnavailable)


@dataclass(frozen=True, slots=True)
class Undoing:
    """The intent to undo a charge: by `refund` when it was captured, else by dropping it."""

    payment: Payment
    refund: Refund | None

    @property
    def key(self) -> str:
        return self.refund.idempotency_key if self.refund else f"{self.payment.idempotency_key}:cancel"


def begin_refund(order: OrderFacts) -> Undoing | None:
    """The intent to undo the order's charge; None when there is nothing to undo, or it is done already.

    An order that was never charged is noted as cancelled, so that it never will be.
    """
    payment = lock_payment(order.order_id)
    if payment is None:
        _payment_for(order, Status.CANCELLED).save(force_insert=True)
        return None
    if payment.status == Status.PENDING:
        moved(Payment, [payment.pk], Status.CANCELLING)
        return Undoing(payment, None)
    if payment.status == Status.CAPTURED:
        moved(Payment, [payment.pk], Status.REFUNDING)
        refund_id = new_id()
        return Undoing(
            payment,
            Refund.objects.create(
                id=refund_id, payment=payment, amount=payment.amount, idempotency_key=f"refund-{refund_id}"
            ),
        )
    if payment.status in {Status.CANCELLING, Status.REFUNDING}:
        return Undoing(payment, payment.refunds.filter(status=RefundStatus.PENDING).first())
    return None


def call_refund(order: OrderFacts, undoing: Undoing) -> Outcome:
    payment, refund = undoing.payment, undoing.refund
    if refund is None:
        return gateway().cancel(undoing.key, charge_key=payment.idempotency_key)
    return gateway().refund(undoing.key, transaction_id=payment.transaction_id, amount=refund.amount)


def settle_refund(order: OrderFacts, undoing: Undoing, outcome: Outcome) -> None:
    if not isinstance(outcome, Accepted):
        return
    if undoing.refund is None:
        moved(Payment, [undoing.payment.pk], Status.CANCELLED, active_key=None)
    else:
        moved(Refund, [undoing.refund.pk], RefundStatus.REFUNDED, transaction_id=outcome.reference)
        moved(Payment, [undoing.payment.pk], Status.REFUNDED, active_key=None)


def lookup_refund(order: OrderFacts, undoing: Undoing) -> Outcome:
    return gateway().lookup(undoing.key)


refund = RemoteOperation(begin_refund, call_refund, settle_refund, lookup_refund, PaymentUnavailable, undoes=True)


def _payment_for(order: OrderFacts, status: Status) -> Payment:
    payment_id: UUID = new_id()
    return Payment(
        id=payment_id,
        order_id=order.order_id,
        customer_id=order.customer_id,
        amount=order.totals.total,
        payment_method=order.payment_method,
        status=status,
        idempotency_key=f"charge-{payment_id}",
    )
