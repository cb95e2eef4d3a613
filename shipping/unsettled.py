"""Parcels whose outcome is not known: repeated under their own keys until it is."""

from collections.abc import Callable
from dataclasses import replace

from cloudmart.providers.unsettled import Found, Unsettled
from shipping import services
from shipping.locks import lock_shipment
from shipping.models import Shipment, Status


def _begin_while(status: Status) -> Callable[[Found], Shipment | None]:
    def begin(found: Found) -> Shipment | None:
        shipment = lock_shipment(found.order_id)
        return shipment if shipment and shipment.status == status else None

    return begin


UNSETTLED = (
    Unsettled(
        "parcel",
        lambda: Shipment.objects.filter(status=Status.PENDING),
        replace(services.arrange, begin=_begin_while(Status.PENDING)),
    ),
    Unsettled(
        "call_off",
        lambda: Shipment.objects.filter(status=Status.CANCELLING),
        replace(services.cancel, begin=_begin_while(Status.CANCELLING)),
    ),
)
