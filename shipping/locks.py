"""The only place that locks shipments."""

from uuid import UUID

from shipping.models import Shipment


def lock_shipment(order_id: UUID) -> Shipment | None:
    """The order's newest shipment, locked; None when there is none."""
    return Shipment.objects.select_for_update().filter(order_id=order_id).order_by("-pk").first()
