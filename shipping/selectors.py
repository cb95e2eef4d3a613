"""Reading parcels."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from cloudmart.providers.records import find_for_viewer
from shipping.errors import ShipmentNotFound
from shipping.models import Shipment


def find_shipment(order_id: UUID, viewer: Any) -> Shipment:
    """Returns the order's parcel. Raises ShipmentNotFound, also if it is another customer's."""
    return find_for_viewer(Shipment.objects.all(), order_id, viewer, ShipmentNotFound)


def parcels_of(order_ids: Iterable[UUID]) -> Mapping[UUID, Shipment]:
    """Returns the parcels of these orders by order, read in one query; those orders are left out that have none."""
    return Shipment.objects.in_bulk(list(order_ids), field_name="order_id")


def order_of_parcel(key: str) -> UUID:
    """Returns the order of the parcel with this idempotency key. Raises ShipmentNotFound."""
    order_id = Shipment.objects.filter(idempotency_key=key).values_list("order_id", flat=True).first()
    if order_id is None:
        raise ShipmentNotFound(parcel_key=key)
    return order_id
