"""Deliveries and cancellations whose outcome is not known: repeated under their own keys until it is."""

from cloudmart.providers.operation import Intent, OfOrder
from cloudmart.providers.records import intent_while
from cloudmart.providers.unsettled import Unsettled
from shipping.locks import lock_shipment
from shipping.models import Shipment, Status
from shipping.services import Arrange, CancelShipment


class ResumeArrange(Arrange):
    def begin(self, order: OfOrder) -> Intent[Shipment] | None:
        return intent_while(Status.PENDING, lock_shipment(order.order_id))


class ResumeCancel(CancelShipment):
    def begin(self, order: OfOrder) -> Intent[Shipment] | None:
        return intent_while(Status.CANCELLING, lock_shipment(order.order_id))


UNSETTLED = (
    Unsettled("parcel", lambda: Shipment.objects.filter(status=Status.PENDING), ResumeArrange()),
    Unsettled("parcel_cancellation", lambda: Shipment.objects.filter(status=Status.CANCELLING), ResumeCancel()),
)
