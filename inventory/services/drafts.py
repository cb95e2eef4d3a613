"""Reservations that change while they are live: those of drafts, and those that operators extend or release."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Min

from cloudmart.database.states import move
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.order import Basket
from inventory.errors import HeldTooLong, ReservationEnded, ReservationExpired
from inventory.locks import lock_reservations, lock_stock
from inventory.models import Reservation, Status
from inventory.services.expiry import expire, find_room
from inventory.services.reserving import check_quantity, release

Terms = dict[str, Any]
"""The columns held_since, expires_at and held_for of a reservation."""


def set_reserved_quantities(order: Basket, *, draft_of: str | None = None) -> None:
    """Reserves exactly the order's quantities of its books, whatever the order has reserved of them before.

    Released and expired reservations become active again. In a draft of the customer `draft_of`, live reservations
    keep their expiry, and all of that customer's drafts together reserve a book for at most RESERVATION_CAP.
    Otherwise every reservation starts anew.

    Raises HeldTooLong, OutOfStock with every shortage, and IllegalMove for books that are sold.
    """
    stock = lock_stock(order.quantities)
    known = stock.reservations_of(order.order_id)
    live = {book_id: reservation.quantity for book_id, reservation in known.items() if reservation.is_live(stock.now)}
    expired = [reservation for reservation in known.values() if reservation.is_past_expiry(stock.now)]
    kept = live if draft_of else {}
    terms = _terms([book_id for book_id in order.quantities if book_id not in kept], draft_of, stock.now)
    expiring = find_room(stock, order.quantities, live, expired)
    if sold := [reservation for reservation in known.values() if reservation.status == Status.CONFIRMED]:
        raise IllegalMove(record="Reservation", id=str(sold[0].pk), to=Status.ACTIVE)
    expire(stock, expiring)
    for book_id, copies in order.quantities.items():
        reservation = _set_quantity(order.order_id, book_id, copies, known.get(book_id), terms.get(book_id, {}))
        if more := copies - live.get(book_id, 0):
            change = stock[book_id].reserve(more) if more > 0 else stock[book_id].release(-more)
            stock.append(book_id, change, reservation=reservation, actor=order.actor)
    stock.save()


def extend_reservations(order_id: UUID) -> None:
    """Extends the order's reservations to RESERVATION_TTL from now, but to at most RESERVATION_CAP in all.

    Raises ReservationExpired with the books whose reservation is past its expiry.
    """
    stock, reservations = lock_reservations(
        Reservation.objects.filter(order_id=order_id, status__in=[Status.ACTIVE, Status.EXPIRED])
    )
    if expired := sorted(each.book_id for each in reservations if not each.is_live(stock.now)):
        raise ReservationExpired(book_ids=expired)
    for reservation in reservations:
        cap = reservation.held_since + settings.RESERVATION_CAP
        until = max(reservation.expires_at, min(stock.now + settings.RESERVATION_TTL, cap))
        move(reservation, Status.ACTIVE, expires_at=until)


def release_reservations(order: Basket, reason: str) -> None:
    """Releases the order's reservations of these books, or without any books all of them.

    A second call changes nothing. Raises ReservationDiffers when a quantity is not the reserved one, and
    ReservationEnded for books that are sold.
    """
    reserved = Reservation.objects.filter(order_id=order.order_id)
    if order.quantities:
        reserved = reserved.filter(shelf__in=order.quantities)
    stock, reservations = lock_reservations(reserved, order.quantities)
    for reservation in reservations:
        check_quantity(reservation, order.quantities.get(reservation.book_id, reservation.quantity))
        if reservation.status == Status.CONFIRMED:
            raise ReservationEnded(book_id=reservation.book_id, reservation_status=reservation.status)
    release(stock, reservations, reason, order.actor)


def _set_quantity(
    order_id: UUID, book_id: str, copies: int, reservation: Reservation | None, terms: Terms
) -> Reservation:
    if reservation is None:
        return Reservation.objects.create(order_id=order_id, shelf_id=book_id, quantity=copies, **terms)
    if terms or reservation.quantity != copies:
        move(reservation, Status.ACTIVE, quantity=copies, **terms)
    return reservation


def _terms(book_ids: list[str], draft_of: str | None, now: datetime) -> dict[str, Terms]:
    """The terms of new reservations. Raises HeldTooLong.

    A draft continues what the customer's drafts have begun, this one or another, deleted or not.
    """
    until = now + settings.RESERVATION_TTL
    if draft_of is None:
        return {book_id: {"held_since": now, "expires_at": until, "held_for": None} for book_id in book_ids}
    began = dict.fromkeys(book_ids, now) | _reserved_by_drafts_since(book_ids, draft_of, now)
    ends = {book_id: min(until, since + settings.RESERVATION_CAP) for book_id, since in began.items()}
    if over := sorted(book_id for book_id, end in ends.items() if end <= now):
        raise HeldTooLong(book_ids=over, pause_seconds=int(settings.RESERVATION_TTL.total_seconds()))
    return {
        book_id: {"held_since": began[book_id], "expires_at": end, "held_for": draft_of}
        for book_id, end in ends.items()
    }


def _reserved_by_drafts_since(book_ids: list[str], customer_id: str, now: datetime) -> dict[str, datetime]:
    """Since when the customer's drafts reserve each of these books, with gaps shorter than RESERVATION_TTL."""
    recently = now - settings.RESERVATION_TTL
    not_sold = {Status.ACTIVE, Status.EXPIRED, Status.RELEASED}
    reservations = Reservation.objects.filter(
        shelf__in=book_ids, status__in=not_sold, expires_at__gt=recently, held_for=customer_id
    ).exclude(status=Status.RELEASED, updated_at__lte=recently)
    return dict(reservations.order_by().values_list("shelf_id").annotate(Min("held_since")))
