"""The only place that locks payments."""

from uuid import UUID

from payments.models import Payment


def lock_payment(order_id: UUID) -> Payment | None:
    """The order's newest payment, locked; None when there is none."""
    return Payment.objects.select_for_update().filter(order_id=order_id).order_by("-pk").first()
