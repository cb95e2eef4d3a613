"""The events of parcels that leave the shop."""

from typing import Any

from cloudmart.outbox.recording import ORDER, record
from cloudmart.outbox.types import EventType
from shipping.models import Shipment, Status

EVENTS = {Status.SHIPPED: EventType.PARCEL_SHIPPED, Status.DELIVERED: EventType.PARCEL_DELIVERED}


def record_progress(parcel: Shipment) -> None:
    """Records the event of a parcel that this transaction has marked as shipped or delivered."""
    record(EVENTS[Status(parcel.status)], ORDER, parcel.order_id, _data(parcel))


def _data(parcel: Shipment) -> dict[str, Any]:
    shipped_at, delivered_at = parcel.shipped_at, parcel.delivered_at
    return {
        "order_id": str(parcel.order_id),
        "customer_id": parcel.customer_id,
        "shipment_id": str(parcel.pk),
        "carrier": parcel.carrier,
        "tracking_number": parcel.tracking_number,
        "shipped_at": shipped_at and shipped_at.isoformat(),
        "delivered_at": delivered_at and delivered_at.isoformat(),
    }
