"""What shipping can do: arrange a delivery, and call it off. Both ask the carrier, so both are remote operations."""

from typing import Protocol
from uuid import UUID

from cloudmart.database.states import move, moved
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.kernel.text import storable
from cloudmart.providers.remote import Accepted, Outcome, Refused, RemoteOperation
from shipping.carriers.port import carrier
from shipping.errors import AlreadyShipped, CarrierUnavailable, ShipmentNotFound
from shipping.locks import lock_shipment
from shipping.models import LONGEST_CARRIER, Shipment, Status


class Sendable(Protocol):
    """What has to be known of an order to send its parcel."""

    @property
    def order_id(self) -> UUID: ...
    @property
    def customer_id(self) -> str: ...
    @property
    def address(self) -> Address: ...


def begin_arrange(order: Sendable) -> Shipment | None:
    """The intent to send the order's parcel; None when it is arranged, refused or called off already."""
    if shipment := lock_shipment(order.order_id):
        return shipment if shipment.status == Status.PENDING else None
    shipment = _shipment_for(order, Status.PENDING)
    shipment.save(force_insert=True)
    shipment.is_fresh = True
    return shipment


def call_arrange(order: Sendable, shipment: Shipment) -> Outcome:
    """Ask under the parcel's own key and address: whoever repeats the request need not know the order."""
    return carrier().arrange(shipment.idempotency_key, order_id=shipment.order_id, address=shipment.destination)


def settle_arrange(order: Sendable, shipment: Shipment, outcome: Outcome) -> None:
    match outcome:
        case Accepted(reference):
            moved(Shipment, [shipment.pk], Status.ARRANGED, tracking_number=reference or shipment.idempotency_key)
        case Refused(error):
            reason = error.details.get("reason", error.code)
            moved(Shipment, [shipment.pk], Status.FAILED, failure=reason)


def lookup_arrange(order: Sendable, shipment: Shipment) -> Outcome:
    return carrier().lookup(shipment.idempotency_key)


arrange = RemoteOperation(begin_arrange, call_arrange, settle_arrange, lookup_arrange, CarrierUnavailable)


def begin_cancel(order: Sendable) -> Shipment | None:
    """The intent to call the parcel off; None when there is nothing to call off, or it is done already.

    From now on it cannot be shipped. An order that never had a parcel is noted as cancelled, so that it never will.
    Raises AlreadyShipped.
    """
    shipment = lock_shipment(order.order_id)
    if shipment is None:
        _shipment_for(order, Status.CANCELLED).save(force_insert=True)
        return None
    if shipment.status == Status.SHIPPED:
        raise AlreadyShipped(tracking_number=shipment.tracking_number)
    if shipment.status in {Status.PENDING, Status.ARRANGED}:
        move(shipment, Status.CANCELLING)
        shipment.is_fresh = True
    return shipment if shipment.status == Status.CANCELLING else None


def call_cancel(order: Sendable, shipment: Shipment) -> Outcome:
    return carrier().cancel(_cancel_key(shipment), arrange_key=shipment.idempotency_key)


def settle_cancel(order: Sendable, shipment: Shipment, outcome: Outcome) -> None:
    if isinstance(outcome, Accepted):
        moved(Shipment, [shipment.pk], Status.CANCELLED)


def lookup_cancel(order: Sendable, shipment: Shipment) -> Outcome:
    return carrier().lookup(_cancel_key(shipment))


cancel = RemoteOperation(begin_cancel, call_cancel, settle_cancel, lookup_cancel, CarrierUnavailable, undoes=True)


def hand_over(order_id: UUID) -> None:
    """The carrier has fetched the parcel. Raises ShipmentNotFound, and IllegalMove unless it was arranged."""
    shipment = lock_shipment(order_id)
    if shipment is None:
        raise ShipmentNotFound(order_id=str(order_id))
    if shipment.status != Status.SHIPPED:
        move(shipment, Status.SHIPPED)


def _cancel_key(shipment: Shipment) -> str:
    return f"{shipment.idempotency_key}:cancel"


def _shipment_for(order: Sendable, status: Status) -> Shipment:
    shipment_id = new_id()
    return Shipment(
        id=shipment_id,
        order_id=order.order_id,
        active_key=order.order_id,
        customer_id=order.customer_id,
        postal_code=order.address.postal_code,
        address=order.address.text,
        country=order.address.country,
        carrier=storable(carrier().name, LONGEST_CARRIER),
        status=status,
        idempotency_key=f"arrange-{shipment_id}",
    )
