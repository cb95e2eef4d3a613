"""Parcels asked for by themselves, outside of any order's saga. Each is idempotent: asked twice, it is done once.

Each raises what its guard forbids it with.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.guards import Guard, guarded, unguarded
from cloudmart.kernel.order import Address
from cloudmart.providers.remote import perform
from shipping import services
from shipping.errors import ShipmentDiffers, ShippingFailed
from shipping.locks import lock_shipment
from shipping.models import Shipment, Status
from shipping.selectors import shipments_of

CALLED_OFF = {Status.CANCELLING, Status.CANCELLED}
NOWHERE = Address("")


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be sent, and where to."""

    order_id: UUID
    address: Address = NOWHERE
    customer_id: str = ""


def arrange(parcel: Parcel, guard: Guard = unguarded) -> Shipment:
    """Have the carrier fetch an order's parcel, once. It stays pending while the carrier's answer is not sure.

    Raises ShippingFailed, ShipmentDiffers when it goes elsewhere already, and IllegalMove when it was called off.
    """
    perform(replace(services.arrange, begin=guarded(_begin_arrange, guard)), parcel)
    shipment = _shipment_of(parcel.order_id)
    _check_stands(shipment)
    return shipment


def cancel(order_id: UUID, guard: Guard = unguarded) -> Shipment:
    """Call an order's parcel off, or note that there will be none. Raises AlreadyShipped."""
    perform(replace(services.cancel, begin=guarded(services.begin_cancel, guard)), Parcel(order_id))
    return _shipment_of(order_id)


def _begin_arrange(parcel: Parcel) -> Shipment | None:
    if shipment := lock_shipment(parcel.order_id):
        _check_stands(shipment)
        if shipment.destination != parcel.address:
            names = ("postal_code", "address", "country")
            raise ShipmentDiffers(shipping_address={name: getattr(shipment, name) for name in names})
    return services.begin_arrange(parcel)


def _check_stands(shipment: Shipment) -> None:
    if shipment.status in CALLED_OFF:
        raise IllegalMove("This parcel was called off, and an order is sent once.", shipment_status=shipment.status)
    if shipment.status == Status.FAILED:
        raise ShippingFailed(reason=shipment.failure)


def _shipment_of(order_id: UUID) -> Shipment:
    return shipments_of(order_id)[0]
