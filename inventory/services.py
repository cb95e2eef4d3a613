"""What the stock room can do. Every function runs in its caller's transaction and locks what it changes."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from cloudmart.kernel.facts import Basket
from cloudmart.kernel.states import moved
from inventory.errors import OutOfStock, ReferenceReused, ReservationDiffers, ReservationEnded, ReservationExpired
from inventory.models import Reservation, Status, StockEvent
from inventory.shelves import Shelves
from inventory.stock import EventType, Happened, Stock


def reserve_stock(order: Basket) -> None:
    """Hold every line of the order, or none. A second call changes nothing.

    Raises OutOfStock with every shortage, not only the first; ReservationDiffers when the order holds another number
    of copies of a book, and ReservationEnded when it has held them and does no longer.
    """
    shelves, now = Shelves(order.quantities), timezone.now()
    known = {hold.book_id: hold for hold in Reservation.objects.filter(order_id=order.order_id)}
    for book_id, copies in order.quantities.items():
        if book_id in known:
            _check_stands(known[book_id], copies, now)
    wanted = {book_id: copies for book_id, copies in order.quantities.items() if book_id not in known}
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


def confirm_stock(order: Basket) -> None:
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


def release_stock(order: Basket, reason: str) -> None:
    """Give back what the order holds, and put back what it bought. A second call changes nothing."""
    shelves = Shelves(order.quantities)
    holds = Reservation.objects.filter(order_id=order.order_id, status__in=[Status.ACTIVE, Status.CONFIRMED])
    _give_back(shelves, list(holds), reason)


def release_holds(order: Basket, reason: str) -> None:
    """Give back the order's holds on these books, or with none named all of them. A second call changes nothing.

    Raises ReservationDiffers when a hold has another number of copies, and ReservationEnded when they are sold.
    """
    held = Reservation.objects.filter(order_id=order.order_id)
    if order.quantities:
        held = held.filter(shelf__in=order.quantities)
    shelves = Shelves(order.quantities or held.values_list("shelf_id", flat=True))
    for hold in (holds := list(held)):
        _check_quantity(hold, order.quantities.get(hold.book_id, hold.quantity))
        if hold.status == Status.CONFIRMED:
            raise ReservationEnded(book_id=hold.book_id, reservation_status=hold.status)
    _give_back(shelves, [hold for hold in holds if hold.status == Status.ACTIVE], reason)


def expire_reservations(limit: int) -> int:
    """Give back at most `limit` holds that the clock has passed, oldest first; returns how many it found."""
    now = timezone.now()
    due = Reservation.objects.filter(status=Status.ACTIVE, expires_at__lte=now).order_by("expires_at")[:limit]
    books = {hold.book_id for hold in due}
    _sweep(shelves := Shelves(books), books, now, [hold.pk for hold in due])
    shelves.save()
    return len(due)


def add_stock(book_id: str, copies: int, *, reason: str = "", actor: str = "", reference: str | None = None) -> None:
    """New copies arrive; the same delivery, by its reference, only once.

    Raises UnknownBook, TooMuchStock, and ReferenceReused when the reference stands for something else.
    """
    wish = Happened(EventType.STOCK_ADDED, copies, 0)
    _change(book_id, wish, lambda stock: stock.add(copies), reason=reason, actor=actor, reference=reference)


def adjust_stock(book_id: str, delta: int, *, reason: str, actor: str, reference: str | None = None) -> None:
    """The shelf was counted and differs by `delta` copies; the same count, by its reference, only once.

    Raises UnknownBook, StockIsReserved, TooMuchStock, and ReferenceReused when it stands for something else.
    """
    wish = Happened(EventType.STOCK_ADJUSTED, delta, 0)
    _change(book_id, wish, lambda stock: stock.adjust(delta), reason=reason, actor=actor, reference=reference)


def _change(
    book_id: str, wish: Happened, decide: Callable[[Stock], Happened], *, reference: str | None, **why: Any
) -> None:
    shelves = Shelves([book_id])
    known = StockEvent.objects.filter(shelf=book_id, reference=reference).first() if reference else None
    if known and known.happened != wish:
        raise ReferenceReused(reference=reference, event_type=known.type, delta=known.on_hand_delta)
    if known is None:
        shelves.note(book_id, decide(shelves[book_id]), reference=reference, **why)
        shelves.save()


def _check_stands(hold: Reservation, copies: int, now: datetime) -> None:
    _check_quantity(hold, copies)
    if hold.status == Status.CONFIRMED or (hold.status == Status.ACTIVE and hold.expires_at > now):
        return
    status = Status.EXPIRED if hold.status == Status.ACTIVE else hold.status
    raise ReservationEnded(book_id=hold.book_id, reservation_status=status)


def _check_quantity(hold: Reservation, copies: int) -> None:
    if hold.quantity != copies:
        raise ReservationDiffers(book_id=hold.book_id, held=hold.quantity, asked=copies)


def _give_back(shelves: Shelves, holds: list[Reservation], reason: str) -> None:
    for hold in holds:
        stock = shelves[hold.book_id]
        happened = stock.release(hold.quantity) if hold.status == Status.ACTIVE else stock.put_back(hold.quantity)
        shelves.note(hold.book_id, happened, reservation=hold, reason=reason)
    moved(Reservation, [hold.pk for hold in holds], Status.RELEASED)
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
