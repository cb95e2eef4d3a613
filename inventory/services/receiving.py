"""Stock that arrives, and stock that is corrected after a count."""

from dataclasses import replace

from inventory.errors import ReferenceReused, StockIsReserved
from inventory.locks import LockedStock, lock_stock
from inventory.models import Reservation, StockEvent
from inventory.services.expiry import expire
from inventory.stock import EventType, StockChange


def add_stock(book_id: str, copies: int, *, reason: str = "", actor: str = "", reference: str | None = None) -> None:
    """Adds copies that have arrived. A second call with the same reference changes nothing.

    Raises UnknownBook, TooMuchStock, and ReferenceReused when the reference belongs to another change.
    """
    stock = lock_stock([book_id])
    if not _is_repeat(book_id, reference, StockChange(EventType.STOCK_ADDED, copies, 0)):
        stock.append(book_id, stock[book_id].add(copies), reference=reference, reason=reason, actor=actor)
        stock.save()


def adjust_stock(book_id: str, delta: int, *, reason: str, actor: str, reference: str | None = None) -> None:
    """Corrects the stock by `delta` copies. A second call with the same reference changes nothing.

    Reservations past their expiry do not prevent it. Raises UnknownBook, StockIsReserved, TooMuchStock, and
    ReferenceReused when the reference belongs to another change.
    """
    stock = lock_stock([book_id])
    if not _is_repeat(book_id, reference, StockChange(EventType.STOCK_ADJUSTED, delta, 0)):
        change = _adjust(stock, book_id, delta)
        stock.append(book_id, change, reference=reference, reason=reason, actor=actor)
        stock.save()


def _adjust(stock: LockedStock, book_id: str, delta: int) -> StockChange:
    """Expires reservations past their expiry where the adjustment needs their copies."""
    try:
        return stock[book_id].adjust(delta)
    except StockIsReserved:
        expiring = list(Reservation.objects.past_expiry(stock.now).filter(shelf=book_id))
        reserved = stock[book_id].reserved - sum(reservation.quantity for reservation in expiring)
        change = replace(stock[book_id], reserved=reserved).adjust(delta)
        expire(stock, expiring)
        return change


def _is_repeat(book_id: str, reference: str | None, change: StockChange) -> bool:
    """Returns True if the change with this reference is in the ledger. Raises ReferenceReused."""
    if not reference:
        return False
    known = StockEvent.objects.filter(shelf=book_id, reference=reference).first()
    if known and known.change != change:
        raise ReferenceReused(reference=reference, event_type=known.type, delta=known.on_hand_delta)
    return known is not None
