"""Invariants of charges and refunds."""

from django.db.models import BigIntegerField, Case, F, OuterRef, Q, When
from django.db.models.functions import Coalesce

from cloudmart.database.invariants import Rows, invariant, total
from cloudmart.providers.reconciliation import Reconciliation
from payments.gateways.port import gateway
from payments.models import TAKEN, Payment, Refund, RefundStatus, Status

LIVE = {Status.PENDING, Status.CAPTURED, Status.CANCELLING, Status.REFUNDING}
"""The money was taken and not all of it refunded, or that is not certain."""


@invariant(Payment, named_by=("order_id",))
def refunds_add_up(payments: Rows) -> Rows:
    """The refunded amount of a payment is the sum of its refunds."""
    return payments.exclude(refunded_amount=total(refunds(), "amount", per="payment"))


@invariant(Payment, named_by=("order_id",))
def refunded_is_given_back(payments: Rows) -> Rows:
    """Only a captured payment has refunds, and it is refunded exactly when all of it was given back."""
    never_taken = ~Q(status__in=TAKEN) & Q(refunded_amount__gt=0)
    kept = Q(status=Status.REFUNDED) & ~Q(amount=given_back())
    gone = Q(status=Status.CAPTURED, refunded_amount=F("amount"), amount__gt=0)
    return payments.filter(never_taken | kept | gone)


def left_of_charges() -> Rows:
    """Returns each charge's key, and the least and the most that may be left of it: a pending refund may be made."""
    taken = When(status__in=TAKEN, then=F("amount") - given_back())
    in_doubt = When(status__in={Status.PENDING, Status.CANCELLING}, then=F("amount"))
    most = Case(taken, in_doubt, default=0, output_field=BigIntegerField())
    least = Case(When(status__in=TAKEN, then=F("amount") - F("refunded_amount")), default=0)
    return Payment.objects.annotate(least=least, most=most).values_list("idempotency_key", "least", "most")


def refunds() -> Rows:
    """The refunds of the outer payment."""
    return Refund.objects.filter(payment=OuterRef("pk"))


def given_back() -> Coalesce:
    """The sum of the outer payment's refunds that the provider has made."""
    return total(refunds().filter(status=RefundStatus.REFUNDED), "amount", per="payment")


INVARIANTS = (refunds_add_up, refunded_is_given_back)

RECONCILIATION = Reconciliation(
    "gateway_agrees",
    "The gateway has as much of every charge as our records say, and no other charge.",
    gateway,
    left_of_charges,
)
