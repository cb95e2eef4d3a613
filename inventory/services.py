"""What the stock room can do. Every function runs in its caller's transaction and locks what it changes."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Min, QuerySet

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.states import move, move_all
from cloudmart.kernel.order import Basket, summed
from inventory.errors import (
    HeldTooLong,
    OutOfStock,
    ReferenceReused,
    ReservationDiffers,
    ReservationEnded,
    ReservationExpired,
    StockIsReserved,
)
from inventory.models import Reservation, Status, StockEvent
from inventory.shelves import Shelves
from inventory.stock import EventType, Happened, Stock

CLOCK = "clock"
"""Who gives back what has expired, as the ledger has it."""


def reserve_stock(order: Basket) -> None:
    """Hold every line of the order, or none. A second call changes nothing.

    Raises OutOfStock with every shortage, not only the first; ReservationDiffers when the order holds another number
    of copies of a book, and ReservationEnded when it has held them and does no longer.
    """
    shelves = Shelves(order.quantities)
    known = _holds_by_book(order)
    for book_id, hold in known.items():
        _check_stands(hold, order.quantities[book_id], shelves.now)
    wanted = {book_id: copies for book_id, copies in order.quantities.items() if book_id not in known}
    _find_room(shelves, wanted)
    holds = [_new_hold(order.order_id, book_id, copies, shelves.now) for book_id, copies in wanted.items()]
    for hold in holds:
        happened = shelves[hold.book_id].reserve(hold.quantity)
        shelves.note(hold.book_id, happened, reservation=hold, actor=order.actor)
    Reservation.objects.bulk_create(holds)
    shelves.save()


def hold_stock(order: Basket, *, drafted_by: str | None = None) -> None:
    """From now on just so many copies of each line are held for the order, however many were before.

    What was given back, or the clock has passed, is held again. In a draft of the customer `drafted_by`, what is held
    keeps its expiry, and nothing is held for longer than RESERVATION_CAP; else all of it is held afresh. Raises
    HeldTooLong, OutOfStock with every shortage, and IllegalMove for what is sold already.
    """
    shelves = Shelves(order.quantities)
    known = _holds_by_book(order)
    held = {book_id: hold.quantity for book_id, hold in known.items() if hold.is_live(shelves.now)}
    lapsed = [hold for hold in known.values() if hold.is_expired(shelves.now)]
    terms = _terms([book for book in order.quantities if not (drafted_by and book in held)], drafted_by, shelves.now)
    _find_room(shelves, order.quantities, held, lapsed)
    for book_id, copies in order.quantities.items():
        more = copies - held.get(book_id, 0)
        hold = known.get(book_id)
        if hold is None:
            line = {"order_id": order.order_id, "shelf_id": book_id, "quantity": copies}
            hold = Reservation.objects.create(**line, **terms[book_id])
        elif book_id in terms:
            move(hold, Status.ACTIVE, quantity=copies, **terms[book_id])
        elif more:
            move(hold, Status.ACTIVE, quantity=copies)
        if more:
            happened = shelves[book_id].reserve(more) if more > 0 else shelves[book_id].release(-more)
            shelves.note(book_id, happened, reservation=hold, actor=order.actor)
    shelves.save()


def extend_holds(order_id: UUID) -> None:
    """What is held for the order is held for RESERVATION_TTL from now, but for no longer than RESERVATION_CAP in all.

    Raises ReservationExpired with the books whose hold the clock has passed; nothing is extended then.
    """
    known = Reservation.objects.filter(order_id=order_id, status__in=[Status.ACTIVE, Status.EXPIRED])
    shelves, holds = _locked(known)
    if lapsed := sorted(hold.book_id for hold in holds if not hold.is_live(shelves.now)):
        raise ReservationExpired(book_ids=lapsed)
    for hold in holds:
        cap = hold.held_since + settings.RESERVATION_CAP
        until = max(hold.expires_at, min(shelves.now + settings.RESERVATION_TTL, cap))
        move(hold, Status.ACTIVE, expires_at=until)


def confirm_stock(order: Basket) -> None:
    """What is held for the order leaves the shelf. A second call changes nothing.

    Raises ReservationExpired when the clock has passed a hold, whether or not it was given back already.
    """
    shelves = Shelves(order.quantities)
    holds = _holds_by_book(order)
    if holds and all(hold.status == Status.CONFIRMED for hold in holds.values()):
        return
    live = {book_id for book_id, hold in holds.items() if hold.is_live(shelves.now)}
    if lapsed := [book_id for book_id in order.quantities if book_id not in live]:
        raise ReservationExpired(book_ids=lapsed)
    for book_id, hold in holds.items():
        shelves.note(book_id, shelves[book_id].confirm(hold.quantity), reservation=hold, actor=order.actor)
    move_all(Reservation, [hold.pk for hold in holds.values()], Status.CONFIRMED)
    shelves.save()


def release_stock(order: Basket, reason: str) -> None:
    """Give back what the order holds of its books, and put back what it bought. A second call changes nothing."""
    shelves = Shelves(order.quantities)
    _give_back(shelves, _holds_by_book(order).values(), reason, order.actor)


def release_holds(order: Basket, reason: str) -> None:
    """Give back the order's holds on these books, or with none named all of them. A second call changes nothing.

    Raises ReservationDiffers when a hold has another number of copies, and ReservationEnded when they are sold.
    """
    held = Reservation.objects.filter(order_id=order.order_id)
    if order.quantities:
        held = held.filter(shelf__in=order.quantities)
    shelves, holds = _locked(held, order.quantities)
    for hold in holds:
        _check_quantity(hold, order.quantities.get(hold.book_id, hold.quantity))
        if hold.status == Status.CONFIRMED:
            raise ReservationEnded(book_id=hold.book_id, reservation_status=hold.status)
    _give_back(shelves, holds, reason, order.actor)


def expire_reservations(limit: int) -> int | None:
    """Give back at most `limit` holds that the clock has passed, oldest first.

    Returns how many it has given back, which are fewer when others do the same; None when there is nothing left to do.
    """
    due = list(_lapsed(DatabaseNow()).order_by("expires_at")[:limit])
    if not due:
        return None
    shelves = Shelves({hold.book_id for hold in due})
    lapsed = list(_lapsed(shelves.now).filter(pk__in=[hold.pk for hold in due]))
    _expire(shelves, lapsed)
    shelves.save()
    return len(lapsed)


def add_stock(book_id: str, copies: int, *, reason: str = "", actor: str = "", reference: str | None = None) -> None:
    """New copies arrive; the same delivery, by its reference, only once.

    Raises UnknownBook, TooMuchStock, and ReferenceReused when the reference stands for something else.
    """
    wish = Happened(EventType.STOCK_ADDED, copies, 0)
    _change(book_id, wish, lambda stock: stock.add(copies), reason=reason, actor=actor, reference=reference)


def adjust_stock(book_id: str, delta: int, *, reason: str, actor: str, reference: str | None = None) -> None:
    """The shelf was counted and differs by `delta` copies; the same count, by its reference, only once.

    Holds that the clock has passed keep no copies on the shelf. Raises UnknownBook, StockIsReserved, TooMuchStock, and
    ReferenceReused when it stands for something else.
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
        stock = shelves[book_id]
        try:
            happened = decide(stock)
        except StockIsReserved:
            lapsed = list(_lapsed(shelves.now).filter(shelf=book_id))
            happened = decide(replace(stock, reserved=stock.reserved - sum(hold.quantity for hold in lapsed)))
            _expire(shelves, lapsed)
        shelves.note(book_id, happened, reference=reference, **why)
        shelves.save()


def _locked(holds: QuerySet[Reservation], book_ids: Iterable[str] = ()) -> tuple[Shelves, list[Reservation]]:
    """Lock the shelves of these books and of these holds. Returns the shelves, and the holds as they are under lock.

    A hold that another transaction adds before the lock is granted has its shelf locked afterwards. That breaks the
    order of locks, so it may end in a deadlock, after which the caller's transaction runs again.
    """
    shelves, known = Shelves(book_ids), list(holds)
    while missing := {hold.book_id for hold in known if hold.book_id not in shelves}:
        shelves.lock(missing)
        known = list(holds.all())
    return shelves, known


def _holds_by_book(order: Basket) -> dict[str, Reservation]:
    """What is, or was, held for the order of its books: to be read under their lock."""
    holds = Reservation.objects.filter(order_id=order.order_id, shelf__in=order.quantities)
    return {hold.book_id: hold for hold in holds}


def _new_hold(order_id: UUID, book_id: str, copies: int, now: datetime) -> Reservation:
    until = now + settings.RESERVATION_TTL
    return Reservation(order_id=order_id, shelf_id=book_id, quantity=copies, held_since=now, expires_at=until)


def _terms(book_ids: Iterable[str], drafted_by: str | None, now: datetime) -> dict[str, dict[str, Any]]:
    """Since when, until when and in whose draft each of these books is held from now on. Raises HeldTooLong.

    A draft goes on with what the customer's drafts have begun, this one or another, deleted or not.
    """
    until = now + settings.RESERVATION_TTL
    if drafted_by is None:
        return {book_id: {"held_since": now, "expires_at": until, "held_for": None} for book_id in book_ids}
    began = dict.fromkeys(book_ids, now) | _held_in_drafts_since(book_ids, drafted_by, now)
    ends = {book_id: min(until, since + settings.RESERVATION_CAP) for book_id, since in began.items()}
    if over := sorted(book_id for book_id, end in ends.items() if end <= now):
        raise HeldTooLong(book_ids=over, pause_seconds=int(settings.RESERVATION_TTL.total_seconds()))
    return {
        book_id: {"held_since": began[book_id], "expires_at": end, "held_for": drafted_by}
        for book_id, end in ends.items()
    }


def _held_in_drafts_since(book_ids: Iterable[str], customer_id: str, now: datetime) -> dict[str, datetime]:
    """Since when the customer's drafts have held each of these books, with no pause of RESERVATION_TTL in between."""
    lately = now - settings.RESERVATION_TTL
    not_sold = {Status.ACTIVE, Status.EXPIRED, Status.RELEASED}
    holds = Reservation.objects.filter(
        shelf__in=book_ids, status__in=not_sold, expires_at__gt=lately, held_for=customer_id
    ).exclude(status=Status.RELEASED, updated_at__lte=lately)
    return dict(holds.order_by().values_list("shelf_id").annotate(Min("held_since")))


def _check_stands(hold: Reservation, copies: int, now: datetime) -> None:
    _check_quantity(hold, copies)
    if hold.status != Status.CONFIRMED and not hold.is_live(now):
        status = Status.EXPIRED if hold.is_expired(now) else hold.status
        raise ReservationEnded(book_id=hold.book_id, reservation_status=status)


def _check_quantity(hold: Reservation, copies: int) -> None:
    if hold.quantity != copies:
        raise ReservationDiffers(book_id=hold.book_id, held=hold.quantity, asked=copies)


def _give_back(shelves: Shelves, holds: Iterable[Reservation], reason: str, actor: str) -> None:
    returning = [hold for hold in holds if hold.status in {Status.ACTIVE, Status.CONFIRMED}]
    for hold in returning:
        stock = shelves[hold.book_id]
        happened = stock.release(hold.quantity) if hold.status == Status.ACTIVE else stock.put_back(hold.quantity)
        shelves.note(hold.book_id, happened, reservation=hold, reason=reason, actor=actor)
    move_all(Reservation, [hold.pk for hold in returning], Status.RELEASED)
    shelves.save()


def _find_room(
    shelves: Shelves,
    wanted: dict[str, int],
    held: dict[str, int] | None = None,
    lapsed: Iterable[Reservation] = (),
) -> None:
    """Expire the holds that have `lapsed`, and all on these shelves that the clock has passed where they fall short.

    Beside what is wanted there may be copies `held` already. Raises OutOfStock, having written nothing.
    """
    held, expiring = held or {}, list(lapsed)
    if _shortages(shelves, wanted, held, expiring):
        expiring = list(_lapsed(shelves.now).filter(shelf__in=wanted))
        if shortages := _shortages(shelves, wanted, held, expiring):
            raise OutOfStock(shortages=shortages)
    _expire(shelves, expiring)


def _shortages(
    shelves: Shelves, wanted: dict[str, int], held: dict[str, int], expiring: list[Reservation]
) -> list[dict[str, object]]:
    room = summed([*held.items(), *((hold.book_id, hold.quantity) for hold in expiring)])
    there = {book_id: shelves[book_id].available + room.get(book_id, 0) for book_id in wanted}
    return [
        {"book_id": book_id, "requested": copies, "available": there[book_id]}
        for book_id, copies in wanted.items()
        if copies > there[book_id]
    ]


def _lapsed(now: datetime | DatabaseNow) -> QuerySet[Reservation]:
    """Holds that the clock has passed, and that nobody has given back yet."""
    return Reservation.objects.filter(status=Status.ACTIVE, expires_at__lte=now)


def _expire(shelves: Shelves, holds: list[Reservation]) -> None:
    for hold in holds:
        happened = shelves[hold.book_id].expire(hold.quantity)
        shelves.note(hold.book_id, happened, reservation=hold, actor=CLOCK)
    if holds:
        move_all(Reservation, [hold.pk for hold in holds], Status.EXPIRED)
