"""What is always true of charges and refunds, whoever has asked for them."""

from django.db.models import BigIntegerField, Case, Count, F, OuterRef, Q, When
from django.db.models.functions import Coalesce

from cloudmart.database.invariants import Rows, invariant, total
from cloudmart.providers.reconciliation import Reconciliation
from payments.gateways.port import gateway
from payments.models import TAKEN, Payment, Refund, RefundStatus, Status

LIVE = {Status.PENDING, Status.CAPTURED, Status.CANCELLING, Status.REFUNDING}
"""The money is ours, or may be."""


@invariant(Payment, named_by=("order_id",))
def one_live_charge(payments: Rows) -> Rows:
    """An order has at most one charge whose money is ours, or may be."""
    return payments.filter(status__in=LIVE).values("order_id").annotate(charges=Count("pk")).filter(charges__gt=1)


@invariant(Payment, named_by=("order_id",))
def refunds_add_up(payments: Rows) -> Rows:
    """What was asked back of a payment is the sum of its refunds."""
    return payments.exclude(refunded_amount=total(refunds(), "amount", per="payment"))


@invariant(Payment, named_by=("order_id",))
def refunded_is_given_back(payments: Rows) -> Rows:
    """Only what was taken is asked back; and a payment is refunded once all of it has gone back."""
    never_taken = ~Q(status__in=TAKEN) & Q(refunded_amount__gt=0)
    kept = Q(status=Status.REFUNDED) & ~Q(amount=given_back())
    gone = Q(status=Status.CAPTURED, refunded_amount=F("amount"), amount__gt=0)
    return payments.filter(never_taken | kept | gone)


def left_of_charges() -> Rows:
    """Keys of charges, and the least and the most that may be left of each: a refund that is asked for may be made."""
    taken = When(status__in=TAKEN, then=F("amount") - given_back())
    in_doubt = When(status__in={Status.PENDING, Status.CANCELLING}, then=F("amount"))
    most = Case(taken, in_doubt, default=0, output_field=BigIntegerField())
    least = Case(When(status__in=TAKEN, then=F("amount") - F("refunded_amount")), default=0)
    return Payment.objects.annotate(least=least, most=most).values_list("idempotency_key", "least", "most")


def refunds() -> Rows:
    """Of the outer payment."""
    return Refund.objects.filter(payment=OuterRef("pk"))


def given_back() -> Coalesce:
    """What the provider is known to have given back of the outer payment."""
    return total(refunds().filter(status=RefundStatus.REFUNDED), "amount", per="payment")


INVARIANTS = (one_live_charge, refunds_add_up, refunded_is_given_back)

RECONCILIATION = Reconciliation(
    "gateway_agrees",
    "Of every charge as much is left at the gateway as our books say, and the gateway knows of no other.",
    gateway,
    left_of_charges,
)
