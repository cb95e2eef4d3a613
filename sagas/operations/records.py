"""What the shop has recorded of one order, in all contexts: what an operator's command would act on."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch

from cloudmart.database.clock import database_now
from inventory.models import Reservation
from inventory.models import Status as ReservationStatus
from orders.errors import OrderNotFound
from orders.models import Mail, Order, Status
from payments.models import Payment
from sagas.models import SagaInstance
from shipping.models import Shipment


@dataclass(frozen=True, slots=True)
class OrderRecords:
    """The records of one order, as they were read at `now` by the database's clock."""

    order: Order
    saga: SagaInstance | None
    payment: Payment | None
    parcel: Shipment | None
    reservations: tuple[Reservation, ...]
    mails: tuple[Mail, ...]
    now: datetime

    @property
    def is_draft(self) -> bool:
        return self.order.status == Status.DRAFT

    @property
    def goes_forward(self) -> bool:
        """Returns True if the saga, once it is driven, continues the order instead of undoing it."""
        saga = self.saga
        if saga is None or saga.is_finished or saga.is_compensating or saga.cancel_reason is not None:
            return False
        return saga.deadline_at is None or saga.deadline_at > self.now

    def copies(self, status: ReservationStatus) -> dict[str, int]:
        """Returns the copies of each book that the order has in this status."""
        return {each.book_id: each.quantity for each in self.reservations if each.status == status}

    def title_of(self, book_id: str) -> str:
        return next((line.title for line in self.order.lines if line.book_id == book_id), book_id)


def records_of(order_id: UUID) -> OrderRecords:
    """Raises OrderNotFound."""
    found = records_of_all([order_id])
    if order_id not in found:
        raise OrderNotFound(order_id=str(order_id))
    return found[order_id]


def records_of_all(order_ids: Collection[UUID]) -> dict[UUID, OrderRecords]:
    """Returns the records of those of these orders that exist, in the order of their ids. Each table is read once."""
    orders = Order.objects.filter(pk__in=order_ids).select_related("customer").order_by("pk")
    orders = orders.prefetch_related("items", Prefetch("mails", Mail.objects.defer("data")))
    sagas = SagaInstance.objects.in_bulk(list(order_ids), field_name="order_id")
    payments = Payment.objects.in_bulk(list(order_ids), field_name="order_id")
    parcels = Shipment.objects.in_bulk(list(order_ids), field_name="order_id")
    reservations: dict[UUID, list[Reservation]] = {}
    for reservation in Reservation.objects.filter(order_id__in=order_ids).order_by("shelf"):
        reservations.setdefault(reservation.order_id, []).append(reservation)
    now = database_now()
    return {
        order.pk: OrderRecords(
            order=order,
            saga=sagas.get(order.pk),
            payment=payments.get(order.pk),
            parcel=parcels.get(order.pk),
            reservations=tuple(reservations.get(order.pk, ())),
            mails=tuple(sorted(order.mails.all(), key=lambda mail: mail.pk)),
            now=now,
        )
        for order in orders
    }
