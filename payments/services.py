"""What payments can do: charge an order, and reverse that. Both ask the gateway, so both are remote operations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from django.conf import settings

from cloudmart.database.prepared import Insert, Select, UpdateEach
from cloudmart.database.states import move, settle
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.redaction import register_secret
from cloudmart.providers.operation import Intent, OfOrder, RemoteOperation
from cloudmart.providers.outcomes import Accepted, Outcome, Refused, with_reference
from cloudmart.providers.records import intent_while
from payments.errors import PaymentUnavailable
from payments.events import record_refunds
from payments.gateways.port import gateway
from payments.locks import lock_payment
from payments.models import Payment, Refund, RefundStatus, Status

BY_THE_SAGA = ":saga"
"""The reference of what an order's saga refunds. A client cannot choose it."""

INSERT = Insert(Payment)
INSERT_REFUND = Insert(Refund)
UPDATE_REFUNDED_AMOUNT = UpdateEach(Payment, "refunded_amount")
PENDING_REFUNDS = Select(
    lambda payment_id: Refund.objects.filter(payment_id=payment_id, status=RefundStatus.PENDING).order_by("pk")
)


class Chargeable(OfOrder, Protocol):
    """What has to be known of an order to charge it. Amounts are in minor units."""

    @property
    def customer_id(self) -> str: ...
    @property
    def amount(self) -> int: ...
    @property
    def payment_method(self) -> str: ...
    @property
    def payment_token(self) -> str: ...


Subject = TypeVar("Subject", bound=OfOrder)


class Charge(RemoteOperation[Chargeable, Payment]):
    """Charges an order's total, once."""

    command = "ProcessPayment"
    unavailable = PaymentUnavailable

    def begin(self, order: Chargeable) -> Intent[Payment] | None:
        """Returns None if the order is charged, declined or cancelled already."""
        payment = _payment_for(order, Status.PENDING, payment_token=order.payment_token)
        if INSERT.unless_exists(payment):
            return Intent(payment, is_new=True)
        return self.begun(order, lock_payment(order.order_id))

    def begun(self, order: Chargeable, payment: Payment | None) -> Intent[Payment] | None:
        """Returns the intent of an earlier `begin`; None if the order is charged, declined or cancelled already."""
        return intent_while(Status.PENDING, payment)

    def call(self, intent: Intent[Payment]) -> Outcome:
        """Sends the payment's own key and token: a worker that repeats the charge need not know the order.

        A charge of nothing is not sent: gateways refuse it.
        """
        payment = intent.record
        register_secret(payment.payment_token)
        if not payment.amount:
            return Accepted(payment.idempotency_key)
        outcome = gateway().charge(
            payment.idempotency_key,
            order_id=payment.order_id,
            customer_id=payment.customer_id,
            amount=payment.amount,
            currency=settings.CURRENCY,
            method=payment.payment_method,
            token=payment.payment_token,
        )
        return with_reference(outcome, payment.idempotency_key)

    def settle(self, intent: Intent[Payment], outcome: Outcome) -> None:
        """A refusal changes nothing once the charge is being voided: the gateway refuses a voided charge."""
        payment = intent.record
        match outcome:
            case Accepted(reference):
                settle(payment, Status.CAPTURED, transaction_id=reference, payment_token="")
            case Refused():
                voided = {Status.CANCELLING, Status.CANCELLED}
                settle(payment, Status.DECLINED, superseded_by=voided, failure=outcome.reason, payment_token="")

    def details(self, intent: Intent[Payment], outcome: Outcome | None = None) -> dict[str, Any]:
        amount = {"amount": intent.record.amount}
        return {**amount, "transaction_id": outcome.reference} if isinstance(outcome, Accepted) else amount

    def lookup(self, intent: Intent[Payment]) -> Outcome:
        key = intent.record.idempotency_key
        return with_reference(gateway().lookup(key), key)


@dataclass(slots=True)
class Reversal:
    """The reversal of a charge: its void, or these refunds."""

    payment: Payment
    refunds: list[Refund]

    @property
    def is_void(self) -> bool:
        return not self.refunds

    @property
    def amount(self) -> int:
        return self.payment.amount if self.is_void else sum(refund.amount for refund in self.refunds)

    @property
    def void_key(self) -> str:
        return f"{self.payment.idempotency_key}:cancel"


class Reverse(RemoteOperation[Subject, Reversal]):
    """Reverses a charge: what every reversal sends and settles. A subclass decides what to reverse."""

    command = "RefundPayment"
    unavailable = PaymentUnavailable
    undoes = True
    is_mailed = True
    """True if the customer gets a mail of each refund."""

    def call(self, intent: Intent[Reversal]) -> Outcome:
        """Sends the void, or the refunds. Of a charge of nothing the gateway knows nothing, so nothing is sent."""
        reversal = intent.record
        payment = reversal.payment
        if not payment.amount:
            return Accepted()
        if reversal.is_void:
            return gateway().cancel(reversal.void_key, charge_key=payment.idempotency_key)
        return _for_each(
            reversal.refunds,
            lambda refund: gateway().refund(
                refund.idempotency_key, transaction_id=payment.transaction_id, amount=refund.amount
            ),
        )

    def settle(self, intent: Intent[Reversal], outcome: Outcome) -> None:
        """The payment is refunded once it has no pending refund and nothing is left to refund."""
        reversal = intent.record
        if not isinstance(outcome, Accepted):
            return
        if reversal.is_void:
            settle(reversal.payment, Status.CANCELLED)
            return
        payment = lock_payment(reversal.payment.order_id)
        made = [each for each in reversal.refunds if _settle_refund(each)]
        if payment and payment.status == Status.REFUNDING and not _pending_refunds(payment):
            move(payment, Status.REFUNDED)
        record_refunds(reversal.payment, made, is_mailed=self.is_mailed)

    def details(self, intent: Intent[Reversal], outcome: Outcome | None = None) -> dict[str, Any]:
        return {"amount": intent.record.amount}

    def lookup(self, intent: Intent[Reversal]) -> Outcome:
        reversal = intent.record
        if reversal.is_void:
            return gateway().lookup(reversal.void_key)
        return _for_each(reversal.refunds, lambda refund: gateway().lookup(refund.idempotency_key))


class ReverseCharge(Reverse[Chargeable]):
    """Reverses an order's charge: refunds what is left of it, or voids it if it was not captured.

    The mail that the order is undone names what is refunded.
    """

    is_mailed = False

    def begin(self, order: Chargeable) -> Intent[Reversal] | None:
        """Returns None if there is nothing to reverse, or it is done already.

        An order without a charge gets a cancelled payment, so that it is never charged.
        """
        payment = lock_payment(order.order_id)
        if payment is None or payment.status not in {Status.CAPTURED, Status.REFUNDING}:
            return void(order, payment)
        earlier = _pending_refunds(payment)
        new = [create_refund(payment, payment.refundable, BY_THE_SAGA)] if payment.status == Status.CAPTURED else []
        return Intent(Reversal(payment, [*earlier, *new]), is_new=not earlier)


charge = Charge()
refund = ReverseCharge()


def create_refund(payment: Payment, amount: int, reference: str, reason: str = "") -> Refund:
    """Records the intent to refund `amount` of this locked payment."""
    payment.refunded_amount += amount
    UPDATE_REFUNDED_AMOUNT(payment)
    if not payment.refundable:
        move(payment, Status.REFUNDING)
    refund_id = new_id()
    refund = Refund(
        id=refund_id,
        payment=payment,
        amount=amount,
        reference=reference,
        reason=reason,
        idempotency_key=f"refund-{refund_id}",
    )
    INSERT_REFUND(refund)
    return refund


def void(order: Chargeable, payment: Payment | None) -> Intent[Reversal] | None:
    """Records the intent to void a charge that was not captured. Returns None if no charge is left to void.

    An order without a charge gets a cancelled payment.
    """
    if payment is None:
        INSERT(_payment_for(order, Status.CANCELLED))
        return None
    is_new = payment.status == Status.PENDING
    if is_new:
        move(payment, Status.CANCELLING, payment_token="")
    return Intent(Reversal(payment, []), is_new) if payment.status == Status.CANCELLING else None


def _settle_refund(refund: Refund) -> bool:
    return settle(refund, RefundStatus.REFUNDED, transaction_id=refund.transaction_id)


def _pending_refunds(payment: Payment) -> list[Refund]:
    return PENDING_REFUNDS(payment_id=payment.pk)


def _for_each(refunds: list[Refund], send: Callable[[Refund], Outcome]) -> Outcome:
    """Returns Accepted if every refund is; else the first other outcome."""
    outcome: Outcome = Accepted()
    for refund in refunds:
        outcome = send(refund)
        if not isinstance(outcome, Accepted):
            break
        refund.transaction_id = outcome.reference
    return outcome


def _payment_for(order: Chargeable, status: Status, payment_token: str = "") -> Payment:
    payment_id = new_id()
    return Payment(
        id=payment_id,
        order_id=order.order_id,
        customer_id=order.customer_id,
        amount=order.amount,
        payment_method=order.payment_method,
        payment_token=payment_token,
        status=status,
        idempotency_key=f"charge-{payment_id}",
    )
