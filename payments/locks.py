"""The only place that locks payments."""

from uuid import UUID

from cloudmart.providers.records import lock_record
from payments.models import Payment


def lock_payment(order_id: UUID) -> Payment | None:
    """Returns the order's payment, locked; None if there is none."""
    return lock_record(Payment, order_id)
