"""What shipping can tell."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from cloudmart.kernel.viewers import customer_id_of, sees_everything
from shipping.errors import ShipmentNotFound
from shipping.models import Shipment, Status


def shipments_of(order_id: UUID) -> QuerySet[Shipment]:
    """Newest first."""
    return Shipment.objects.filter(order_id=order_id).order_by("-pk")


def status_of(order_id: UUID) -> Status | None:
    """Where the order's newest parcel stands; None when there is none."""
    newest = shipments_of(order_id).values_list("status", flat=True).first()
    return Status(newest) if newest else None


def find_shipment(order_id: UUID, viewer: Any) -> Shipment:
    """The order's newest parcel. Raises ShipmentNotFound, also when it is somebody else's."""
    shipment = shipments_of(order_id).first()
    if shipment is None or not (sees_everything(viewer) or shipment.customer_id == customer_id_of(viewer)):
        raise ShipmentNotFound(order_id=str(order_id))
    return shipment
