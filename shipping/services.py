"""What shipping can do. Arranging a delivery and cancelling it ask the carrier, so both are remote operations.

What else becomes of a parcel is recorded: that it was shipped, was delivered, or has come back.
"""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from cloudmart.database.clock import database_now, from_now
from cloudmart.database.prepared import Insert
from cloudmart.database.states import move, settle
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.kernel.text import storable
from cloudmart.providers.operation import Intent, OfOrder, RemoteOperation
from cloudmart.providers.outcomes import Accepted, Outcome, Refused, with_reference
from cloudmart.providers.records import intent_while
from shipping.carriers.port import carrier
from shipping.errors import AlreadyShipped, CarrierUnavailable, NotDelivered, ShipmentNotFound
from shipping.events import record_progress
from shipping.locks import lock_shipment
from shipping.models import LONGEST_CARRIER, Shipment, Status

INSERT = Insert(Shipment)


class Sendable(OfOrder, Protocol):
    """What has to be known of an order to send its parcel."""

    @property
    def customer_id(self) -> str: ...
    @property
    def address(self) -> Address: ...


class Arrange(RemoteOperation[Sendable, Shipment]):
    """Arranges the delivery of an order's parcel, once."""

    command = "ArrangeShipping"
    unavailable = CarrierUnavailable

    def begin(self, order: Sendable) -> Intent[Shipment] | None:
        """Returns None if the delivery is arranged, refused or cancelled already."""
        shipment = _shipment_for(order, Status.PENDING)
        if INSERT.unless_exists(shipment):
            return Intent(shipment, is_new=True)
        return self.begun(order, lock_shipment(order.order_id))

    def begun(self, order: Sendable, shipment: Shipment | None) -> Intent[Shipment] | None:
        """Returns the intent of an earlier `begin`; None if the delivery is arranged, refused or cancelled already."""
        return intent_while(Status.PENDING, shipment)

    def call(self, intent: Intent[Shipment]) -> Outcome:
        """Sends the parcel's own key and address: a worker that repeats the request need not know the order."""
        shipment = intent.record
        key = shipment.idempotency_key
        outcome = carrier().arrange(key, order_id=shipment.order_id, address=shipment.destination)
        return with_reference(outcome, key)

    def settle(self, intent: Intent[Shipment], outcome: Outcome) -> None:
        """A refusal changes nothing once the delivery is being cancelled: the carrier refuses a cancelled one."""
        shipment = intent.record
        match outcome:
            case Accepted(reference):
                poll = from_now(settings.CARRIER_POLL_INTERVAL)
                settle(shipment, Status.ARRANGED, tracking_number=reference, next_poll_at=poll)
            case Refused():
                cancelled = {Status.CANCELLING, Status.CANCELLED}
                settle(shipment, Status.FAILED, superseded_by=cancelled, failure=outcome.reason)

    def details(self, intent: Intent[Shipment], outcome: Outcome | None = None) -> dict[str, Any]:
        carrier = {"carrier": intent.record.carrier}
        return {**carrier, "tracking_number": outcome.reference} if isinstance(outcome, Accepted) else carrier

    def lookup(self, intent: Intent[Shipment]) -> Outcome:
        key = intent.record.idempotency_key
        return with_reference(carrier().lookup(key), key)


class CancelShipment(RemoteOperation[Sendable, Shipment]):
    """Cancels the delivery of an order's parcel.

    The carrier refuses that for a parcel that it has collected. Then the outcome stays open until the carrier reports
    the parcel as shipped.
    """

    command = "CancelShipping"
    unavailable = CarrierUnavailable
    undoes = True

    def begin(self, order: Sendable) -> Intent[Shipment] | None:
        """Returns None if there is nothing to cancel, it is done already, or the parcel has come back.

        Raises AlreadyShipped.

        An order without a parcel gets a cancelled one, so that none is ever sent.
        """
        shipment = lock_shipment(order.order_id)
        if shipment is None:
            INSERT(_shipment_for(order, Status.CANCELLED))
            return None
        check_cancellable(shipment)
        if shipment.status in {Status.PENDING, Status.ARRANGED}:
            move(shipment, Status.CANCELLING, next_poll_at=from_now(settings.CARRIER_POLL_INTERVAL))
            return Intent(shipment, is_new=True)
        return intent_while(Status.CANCELLING, shipment)

    def call(self, intent: Intent[Shipment]) -> Outcome:
        return carrier().cancel(_cancel_key(intent), arrange_key=intent.record.idempotency_key)

    def settle(self, intent: Intent[Shipment], outcome: Outcome) -> None:
        if isinstance(outcome, Accepted):
            settle(intent.record, Status.CANCELLED, next_poll_at=None)

    def details(self, intent: Intent[Shipment], outcome: Outcome | None = None) -> dict[str, Any]:
        return {"carrier": intent.record.carrier, "tracking_number": intent.record.tracking_number}

    def lookup(self, intent: Intent[Shipment]) -> Outcome:
        return carrier().lookup(_cancel_key(intent))


arrange = Arrange()
cancel = CancelShipment()


def check_cancellable(shipment: Shipment) -> None:
    """Raises AlreadyShipped if the carrier has collected the parcel, and it has not come back."""
    if shipment.status in {Status.SHIPPED, Status.DELIVERED}:
        raise AlreadyShipped(tracking_number=shipment.tracking_number)


def mark_as_shipped(order_id: UUID, at: datetime | None = None) -> Shipment | None:
    """Records that the carrier has collected the parcel, then or now. Returns the parcel; None if that is known.

    Raises ShipmentNotFound, and IllegalMove unless the delivery was arranged and is not cancelled.
    """
    return _mark(order_id, Status.SHIPPED, "shipped_at", at)


def mark_as_delivered(order_id: UUID, at: datetime | None = None) -> Shipment | None:
    """Records that the customer has the parcel, since then or now, whether it was marked as shipped or not.

    Returns the parcel; None if that is known. Raises as `mark_as_shipped`.
    """
    return _mark(order_id, Status.DELIVERED, "delivered_at", at, next_poll_at=None)


def take_back(order: OfOrder, reason: str = "") -> None:
    """Records that the delivered parcel has come back. A second call changes nothing. Raises NotDelivered."""
    shipment = lock_shipment(order.order_id)
    check_returnable(shipment, order.order_id)
    if shipment and shipment.may_move(Status.RETURNED):
        move(shipment, Status.RETURNED)


def check_returnable(shipment: Shipment | None, order_id: UUID) -> None:
    """Raises NotDelivered unless the customer has the parcel, or has sent it back."""
    status = shipment.status if shipment else None
    if status not in {Status.DELIVERED, Status.RETURNED}:
        raise NotDelivered(order_id=str(order_id), shipment_status=status)


def _mark(order_id: UUID, status: Status, column: str, at: datetime | None, **changes: Any) -> Shipment | None:
    """Moves the parcel to the status and returns it; returns None if it has that or a later one.

    `at` is stored in the column, but no time before the parcel was created, and none that is still to come.
    """
    shipment = lock_shipment(order_id)
    if shipment is None:
        raise ShipmentNotFound(order_id=str(order_id))
    if shipment.status in {status, *Shipment.after(status)}:
        return None
    now = database_now()
    move(shipment, status, **{column: min(max(at or now, shipment.created_at), now)}, **changes)
    record_progress(shipment)
    return shipment


def _cancel_key(intent: Intent[Shipment]) -> str:
    return f"{intent.record.idempotency_key}:cancel"


def _shipment_for(order: Sendable, status: Status) -> Shipment:
    shipment_id = new_id()
    return Shipment(
        id=shipment_id,
        order_id=order.order_id,
        customer_id=order.customer_id,
        postal_code=order.address.postal_code,
        address=order.address.text,
        country=order.address.country,
        carrier=storable(carrier().name, LONGEST_CARRIER),
        status=status,
        idempotency_key=f"arrange-{shipment_id}",
    )
