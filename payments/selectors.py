"""What payments can tell."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from cloudmart.kernel.viewers import customer_id_of, sees_everything
from payments.errors import PaymentNotFound
from payments.models import Payment, Status


def payments_of(order_id: UUID) -> QuerySet[Payment]:
    """Newest first."""
    return Payment.objects.filter(order_id=order_id).order_by("-pk")


def status_of(order_id: UUID) -> Status | None:
    """Where the order's newest payment stands; None when there is none."""
    newest = payments_of(order_id).values_list("status", flat=True).first()
    return Status(newest) if newest else None


def find_payment(order_id: UUID, viewer: Any) -> Payment:
    """The order's newest payment, with its refunds. Raises PaymentNotFound, also when it is somebody else's."""
    payment = payments_of(order_id).prefetch_related("refunds").first()
    if payment is None or not (sees_everything(viewer) or payment.customer_id == customer_id_of(viewer)):
        raise PaymentNotFound(order_id=str(order_id))
    return payment
