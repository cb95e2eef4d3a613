"""What the stock room can do. Every function runs in its caller's transaction and locks what it changes."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from cloudmart.kernel.facts import OrderFacts
from cloudmart.kernel.states import moved
from inventory.errors import OutOfStock, ReservationExpired
from inventory.models import Reservation, Status
from inventory.shelves import Shelves


def reserve_stock(order: OrderFacts) -> None:
    """Hold every line of the order, or none. A second call changes nothing.

    Raises OutOfStock with every shortage, not only the first.
    """
    wanted = order.quantities
    shelves = Shelves(wanted)
    if Reservation.objects.filter(order_id=order.order_id).exists():
        return
    now = timezone.now()
    if _shortages(shelves, wanted):
        _sweep(shelves, wanted, now)
    if shortages := _shortages(shelves, wanted):
        raise OutOfStock(shortages=shortages)
    holds = [
        Reservation(
            order_id=order.order_id, shelf_id=book_id, quantity=copies, expires_at=now + settings.RESERVATION_TTL
        )
        for book_id, copies in wanted.items()
    ]
    for hold in holds:
        shelves.note(hold.book_id, shelves[hold.book_id].reserve(hold.quantity), reservation=hold)
    Reservation.objects.bulk_create(holds)
    shelves.save()


def confirm_stock(order: OrderFacts) -> None:
    """What is held for the order leaves the shelf. A second call changes nothing.

    Raises ReservationExpired when the clock has passed a hold, whether or not it was given back already.
    """
    shelves = Shelves(order.quantities)
    holds = list(Reservation.objects.filter(order_id=order.order_id))
    if all(hold.status == Status.CONFIRMED for hold in holds):
        return
    now = timezone.now()
    if lapsed := [hold.book_id for hold in holds if hold.status != Status.ACTIVE or hold.expires_at <= now]:
        raise ReservationExpired(book_ids=lapsed)
    for hold in holds:
        shelves.note(hold.book_id, shelves[hold.book_id].confirm(hold.quantity), reservation=hold)
    moved(Reservation, [hold.pk for hold in holds], Status.CONFIRMED)
    shelves.save()


def release_stock(order: OrderFacts, reason: str) -> None:
    """Give back what the order holds, and put back what it bought. A second call changes nothing."""
    shelves = Shelves(order.quantities)
    holds = list(Reservation.objects.filter(order_id=order.order_id, status__in=[Status.ACTIVE, Status.CONFIRMED]))
    for hold in holds:
        stock = shelves[hold.book_id]
        happened = stock.release(hold.quantity) if hold.status == Status.ACTIVE else stock.put_back(hold.quantity)
        shelves.note(hold.book_id, happened, reservation=hold, reason=reason)
    moved(Reservation, [hold.pk for hold in holds], Status.RELEASED)
    shelves.save()


def expire_reservations(limit: int) -> int:
    """Give back at most `limit` holds that the clock has passed, oldest first; returns how many it found."""
    now = timezone.now()
    due = Reservation.objects.filter(status=Status.ACTIVE, expires_at__lte=now).order_by("expires_at")[:limit]
    books = {hold.book_id for hold in due}
    _sweep(shelves := Shelves(books), books, now, [hold.pk for hold in due])
    shelves.save()
    return len(due)


def add_stock(book_id: str, copies: int, *, reason: str = "", actor: str = "") -> None:
    """New copies arrive. Raises UnknownBook."""
    shelves = Shelves([book_id])
    shelves.note(book_id, shelves[book_id].add(copies), reason=reason, actor=actor)
    shelves.save()


def adjust_stock(book_id: str, delta: int, *, reason: str, actor: str) -> None:
    """The shelf was counted and differs by `delta` copies. Raises UnknownBook and StockIsReserved."""
    shelves = Shelves([book_id])
    shelves.note(book_id, shelves[book_id].adjust(delta), reason=reason, actor=actor)
    shelves.save()


def _shortages(shelves: Shelves, wanted: dict[str, int]) -> list[dict[str, object]]:
    return [
        {"book_id": book_id, "requested": copies, "available": shelves[book_id].available}
        for book_id, copies in wanted.items()
        if copies > shelves[book_id].available
    ]


def _sweep(shelves: Shelves, book_ids: Iterable[str], now: datetime, among: list[UUID] | None = None) -> None:
    """Expire what the clock has passed on these locked shelves, read under the lock."""
    lapsed = Reservation.objects.filter(shelf__in=book_ids, status=Status.ACTIVE, expires_at__lte=now)
    holds = list(lapsed if among is None else lapsed.filter(pk__in=among))
    for hold in holds:
        shelves.note(hold.book_id, shelves[hold.book_id].expire(hold.quantity), reservation=hold)
    moved(Reservation, [hold.pk for hold in holds], Status.EXPIRED)
