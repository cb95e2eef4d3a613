"""Reading payments."""

from typing import Any
from uuid import UUID

from cloudmart.providers.records import find_for_viewer
from payments.errors import PaymentNotFound
from payments.models import Payment, Status


def status_of(order_id: UUID) -> Status | None:
    """Returns the status of the order's payment; None if there is none."""
    status = Payment.objects.filter(order_id=order_id).values_list("status", flat=True).first()
    return Status(status) if status else None


def find_payment(order_id: UUID, viewer: Any) -> Payment:
    """Returns the order's payment with its refunds. Raises PaymentNotFound, also if it is another customer's."""
    return find_for_viewer(Payment.objects.prefetch_related("refunds"), order_id, viewer, PaymentNotFound)
