"""The stock of an order: reserved, and then confirmed or released."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from cloudmart.database.prepared import Insert
from cloudmart.database.states import move_all
from cloudmart.kernel.order import Basket
from inventory.errors import ReservationDiffers, ReservationEnded, ReservationExpired
from inventory.locks import LockedStock, lock_stock_of
from inventory.models import Reservation, Status
from inventory.services.expiry import expire, find_room
from inventory.stock import shortages_of

INSERT = Insert(Reservation)

FEW = 50
"""Available copies of a sub-shelf below which orders lock the whole book: more orders may be waiting for them."""


def reserve_stock(order: Basket, lasting: timedelta | None = None) -> None:
    """Reserves every line of the order, or none: for RESERVATION_TTL, or `lasting`. A second call changes nothing.

    Raises OutOfStock with every shortage, ReservationDiffers when the order has reserved another quantity of a book,
    and ReservationEnded when the order's reservation of a book was released or has expired.
    """
    stock = lock_stock_of(order, lambda stock: stock.available, spare=FEW)
    lasting = lasting or settings.RESERVATION_TTL
    if _reserve_anew(stock, order, lasting):
        return
    known = stock.reservations_of(order.order_id)
    for book_id, reservation in known.items():
        _check_stands(reservation, order.quantities[book_id], stock.now)
    wanted = {book_id: copies for book_id, copies in order.quantities.items() if book_id not in known}
    expire(stock, find_room(stock, wanted))
    reservations = _new_reservations(order.order_id, wanted, stock.now, lasting)
    INSERT(*reservations)
    _append_reserved(stock, reservations, order.actor)
    stock.save()


def _reserve_anew(stock: LockedStock, order: Basket, lasting: timedelta) -> bool:
    """Reserves every line of an order that has reserved nothing, if the copies are there. Returns False otherwise."""
    if shortages_of(order.quantities, {book_id: stock[book_id].available for book_id in order.quantities}):
        return False
    reservations = _new_reservations(order.order_id, order.quantities, stock.now, lasting)
    if not INSERT.unless_exists(*reservations):
        return False
    _append_reserved(stock, reservations, order.actor)
    stock.save()
    return True


def _append_reserved(stock: LockedStock, reservations: Iterable[Reservation], actor: str) -> None:
    for reservation in reservations:
        change = stock[reservation.book_id].reserve(reservation.quantity)
        stock.append(reservation.book_id, change, reservation=reservation, actor=actor)


def confirm_stock(order: Basket) -> None:
    """Marks what the order has reserved as sold; the copies leave the stock. A second call changes nothing.

    Raises ReservationExpired with the books whose reservation is not live.
    """
    stock = lock_stock_of(order, lambda stock: stock.reserved)
    reservations = stock.reservations_of(order.order_id)
    if reservations and all(reservation.status == Status.CONFIRMED for reservation in reservations.values()):
        return
    live = {book_id for book_id, reservation in reservations.items() if reservation.is_live(stock.now)}
    if expired := [book_id for book_id in order.quantities if book_id not in live]:
        raise ReservationExpired(book_ids=expired)
    for book_id, reservation in reservations.items():
        change = stock[book_id].confirm(reservation.quantity)
        stock.append(book_id, change, reservation=reservation, actor=order.actor)
    move_all(Reservation, [reservation.pk for reservation in reservations.values()], Status.CONFIRMED)
    stock.save()


def release_stock(order: Basket, reason: str) -> None:
    """Returns the order's reserved and sold copies to stock. A second call changes nothing."""
    stock = lock_stock_of(order, lambda stock: stock.reserved)
    release(stock, stock.reservations_of(order.order_id).values(), reason, order.actor)


def release(stock: LockedStock, reservations: Iterable[Reservation], reason: str, actor: str) -> None:
    """Releases the active and the confirmed ones of these reservations, and saves `stock`."""
    releasing = [each for each in reservations if each.status in {Status.ACTIVE, Status.CONFIRMED}]
    for reservation in releasing:
        held, copies = stock[reservation.book_id], reservation.quantity
        change = held.release(copies) if reservation.status == Status.ACTIVE else held.put_back(copies)
        stock.append(reservation.book_id, change, reservation=reservation, reason=reason, actor=actor)
    move_all(Reservation, [reservation.pk for reservation in releasing], Status.RELEASED)
    stock.save()


def check_quantity(reservation: Reservation, copies: int) -> None:
    """Raises ReservationDiffers."""
    if reservation.quantity != copies:
        raise ReservationDiffers(book_id=reservation.book_id, held=reservation.quantity, asked=copies)


def _check_stands(reservation: Reservation, copies: int, now: datetime) -> None:
    check_quantity(reservation, copies)
    if reservation.status != Status.CONFIRMED and not reservation.is_live(now):
        status = Status.EXPIRED if reservation.is_past_expiry(now) else reservation.status
        raise ReservationEnded(book_id=reservation.book_id, reservation_status=status)


def _new_reservations(
    order_id: UUID, quantities: Mapping[str, int], now: datetime, lasting: timedelta
) -> list[Reservation]:
    return [
        Reservation(order_id=order_id, shelf_id=book_id, quantity=copies, held_since=now, expires_at=now + lasting)
        for book_id, copies in quantities.items()
    ]
