"""The charge of an order and its refunds, adding up to what the shop keeps. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cloudmart.pages.cells import Badge
from payments.admin import BADGES, REFUND_BADGES
from payments.models import TAKEN, Payment, Refund, RefundStatus, Status
from payments.services import BY_THE_SAGA

OPEN = {Status.PENDING, Status.CANCELLING}
"""It is not known yet whether the charge was made."""

CHARGES = {
    Status.PENDING: gettext_lazy("Charge, requested"),
    Status.DECLINED: gettext_lazy("Charge, declined"),
    Status.CANCELLING: gettext_lazy("Charge, being voided"),
    Status.CANCELLED: gettext_lazy("No charge, and none will be made"),
    **dict.fromkeys(TAKEN, gettext_lazy("Charge")),
}


@dataclass(frozen=True, slots=True)
class Movement:
    """A charge or a refund. Its `amount` counts in the net, negative for a refund; 0 if no money has moved."""

    label: str
    amount: int
    requested: int
    badge: Badge
    reference: str
    """The provider's name for it."""
    key: str
    """The idempotency key that the provider was sent."""
    at: datetime
    url: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Money:
    movements: tuple[Movement, ...] = ()
    open_charge: int = 0
    """The amount of a charge whose outcome is not known."""
    open_refunds: int = 0
    refunded: int = 0
    """Also by refunds that are not among the movements."""

    @property
    def charged(self) -> int:
        return sum(each.amount for each in self.movements if each.amount > 0)

    @property
    def net(self) -> int:
        return self.charged - self.refunded


def money_of(payment: Payment | None, refunds: Iterable[Refund]) -> Money:
    """Returns the money of an order with this payment, and with the newest of its refunds."""
    if payment is None:
        return Money()
    refunds = list(refunds)
    open_refunds = sum(refund.amount for refund in refunds if refund.status == RefundStatus.PENDING)
    return Money(
        (_charge(payment), *map(_refund, refunds)),
        open_charge=payment.amount if payment.status in OPEN else 0,
        open_refunds=open_refunds,
        refunded=payment.refunded_amount - open_refunds,
    )


def _charge(payment: Payment) -> Movement:
    return Movement(
        label=str(CHARGES[Status(payment.status)]),
        amount=payment.amount if payment.status in TAKEN else 0,
        requested=payment.amount,
        badge=BADGES[Status.CAPTURED if payment.status in TAKEN else Status(payment.status)],
        reference=payment.transaction_id,
        key=payment.idempotency_key,
        at=payment.created_at,
        url=_page("payment", payment),
        reason=payment.failure,
    )


def _refund(refund: Refund) -> Movement:
    is_made = refund.status == RefundStatus.REFUNDED
    return Movement(
        label=_why(refund.reference),
        amount=-refund.amount if is_made else 0,
        requested=refund.amount,
        badge=REFUND_BADGES[RefundStatus(refund.status)],
        reference=refund.transaction_id,
        key=refund.idempotency_key,
        at=refund.created_at,
        url=_page("refund", refund),
        reason=refund.reason,
    )


def _why(reference: str) -> str:
    """Returns in words what a refund is for: its `reference` is the client's own, but for these two."""
    if reference == BY_THE_SAGA:
        return _("Refund, because the order was undone")
    if not reference:
        return _("Refund of what was left")
    return _("Refund %(reference)s") % {"reference": reference}


def _page(model: str, row: Any) -> str:
    return reverse(f"admin:payments_{model}_change", args=[row.pk])
