"""Commands on an order's parcel, outside of any saga. Each is idempotent.

`first` runs at the beginning of the command's first transaction, and may raise errors of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.forms import model_to_dict
from django.utils.translation import gettext_noop

from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.order import Address
from cloudmart.providers.calling import nothing, perform
from cloudmart.providers.operation import Intent
from shipping import services
from shipping.errors import ShipmentDiffers, ShippingFailed
from shipping.locks import lock_shipment
from shipping.models import Shipment, Status

CANCELLED = {Status.CANCELLING, Status.CANCELLED}
NOWHERE = Address("")


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be sent, and where to."""

    order_id: UUID
    address: Address = NOWHERE
    customer_id: str = ""


def arrange(parcel: Parcel, first: Callable[[], None] = nothing) -> Shipment:
    """Arranges the delivery of an order's parcel, once. It stays pending while the outcome is not certain.

    Raises ShippingFailed, ShipmentDiffers if the parcel goes to another address, and IllegalMove if it was cancelled.
    """
    perform(DirectArrange(), parcel, first)
    shipment = _shipment_of(parcel.order_id)
    _check_stands(shipment)
    return shipment


def cancel(order_id: UUID, first: Callable[[], None] = nothing) -> Shipment:
    """Cancels the delivery of an order's parcel, or records that there will be none. Raises AlreadyShipped."""
    perform(services.cancel, Parcel(order_id), first)
    return _shipment_of(order_id)


class DirectArrange(services.Arrange):
    def begin(self, order: services.Sendable) -> Intent[Shipment] | None:
        shipment = lock_shipment(order.order_id)
        return self.begun(order, shipment) if shipment else super().begin(order)

    def begun(self, order: services.Sendable, shipment: Shipment | None) -> Intent[Shipment] | None:
        if shipment:
            _check_stands(shipment)
            if shipment.destination != order.address:
                raise ShipmentDiffers(shipping_address=model_to_dict(shipment, ["postal_code", "address", "country"]))
        return super().begun(order, shipment)


def _check_stands(shipment: Shipment) -> None:
    """Raises IllegalMove if the delivery was cancelled, and ShippingFailed if the carrier refused it."""
    if shipment.status in CANCELLED:
        raise IllegalMove(
            gettext_noop("This parcel was cancelled, and an order is sent once."), shipment_status=shipment.status
        )
    if shipment.status == Status.FAILED:
        raise ShippingFailed(reason=shipment.failure)


def _shipment_of(order_id: UUID) -> Shipment:
    return Shipment.objects.get(order_id=order_id)
