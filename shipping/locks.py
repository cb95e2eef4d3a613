"""The only place that locks shipments."""

from uuid import UUID

from cloudmart.providers.records import lock_record
from shipping.models import Shipment


def lock_shipment(order_id: UUID) -> Shipment | None:
    """Returns the order's shipment, locked; None if there is none."""
    return lock_record(Shipment, order_id)
