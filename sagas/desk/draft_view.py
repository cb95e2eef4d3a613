"""An order together with its parcel, or a draft with its reservations, as clients see it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from inventory.models import Reservation
from inventory.selectors import live_reservations_of
from orders.models import Order, OrderItem, Status
from shipping.models import Shipment
from shipping.selectors import parcels_of


@dataclass(frozen=True, slots=True)
class DraftView:
    """An order with its parcel, if it has one; while it is a draft, with its live reservations by book."""

    order: Order
    reservations: Mapping[str, Reservation]
    parcel: Shipment | None

    @property
    def expired_books(self) -> list[str]:
        """The books of a draft that are no longer reserved."""
        is_draft = self.order.status == Status.DRAFT
        return [item.book_id for item in self.order.lines if is_draft and self.held_until(item) is None]

    def held_until(self, item: OrderItem) -> datetime | None:
        """The end of the item's reservation; None when its copies are not reserved."""
        reservation = self.reservations.get(item.book_id)
        return reservation.expires_at if reservation and reservation.quantity == item.quantity else None


def draft_views(orders: Iterable[Order]) -> list[DraftView]:
    """The views of these orders. The reservations of all drafts are read in one query, and so are all parcels."""
    orders = list(orders)
    drafts = [order.pk for order in orders if order.status == Status.DRAFT]
    reservations = live_reservations_of(drafts)
    parcels = parcels_of({order.pk for order in orders}.difference(drafts))
    return [DraftView(order, reservations.get(order.pk, {}), parcels.get(order.pk)) for order in orders]


def draft_view(order: Order) -> DraftView:
    return draft_views([order])[0]
