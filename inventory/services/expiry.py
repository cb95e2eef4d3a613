"""Reservations past their expiry: returned to stock by a worker, or earlier when their copies are needed."""

from collections.abc import Iterable, Mapping

from cloudmart.database.states import move_all
from cloudmart.kernel.order import summed
from inventory.errors import OutOfStock
from inventory.locks import LockedStock, lock_stock
from inventory.models import Reservation, Status
from inventory.stock import shortages_of

CLOCK = "clock"
"""The actor of an expiry in the ledger."""


def expire_reservations(limit: int) -> int | None:
    """Expires at most `limit` reservations past their expiry, oldest first.

    Returns how many it expired, which may be fewer than `limit` when others expire some at once; None when there were
    none.
    """
    due = list(Reservation.objects.past_expiry().order_by("expires_at")[:limit])
    if not due:
        return None
    stock = lock_stock({reservation.book_id for reservation in due})
    still_due = Reservation.objects.past_expiry(stock.now).filter(pk__in=[reservation.pk for reservation in due])
    expired = list(still_due)
    expire(stock, expired)
    stock.save()
    return len(expired)


def find_room(
    stock: LockedStock,
    wanted: Mapping[str, int],
    held: Mapping[str, int] | None = None,
    expiring: Iterable[Reservation] = (),
) -> list[Reservation]:
    """Returns the reservations to expire before `wanted` is reserved: `expiring`, or if needed all past expiry.

    Copies `held` by the order itself count as available. Raises OutOfStock with every shortage. Writes nothing.
    """
    expiring = list(expiring)
    if _shortages(stock, wanted, held or {}, expiring):
        expiring = list(Reservation.objects.past_expiry(stock.now).filter(shelf__in=stock.locked_whole(wanted)))
        if shortages := _shortages(stock, wanted, held or {}, expiring):
            raise OutOfStock(shortages=shortages)
    return expiring


def expire(stock: LockedStock, reservations: list[Reservation]) -> None:
    """Returns the copies of these reservations to `stock`, which the caller saves."""
    for reservation in reservations:
        change = stock[reservation.book_id].expire(reservation.quantity)
        stock.append(reservation.book_id, change, reservation=reservation, actor=CLOCK)
    if reservations:
        move_all(Reservation, [reservation.pk for reservation in reservations], Status.EXPIRED)


def _shortages(
    stock: LockedStock, wanted: Mapping[str, int], held: Mapping[str, int], expiring: list[Reservation]
) -> list[dict[str, object]]:
    more = summed([*held.items(), *((reservation.book_id, reservation.quantity) for reservation in expiring)])
    return shortages_of(wanted, {book_id: stock[book_id].available + more.get(book_id, 0) for book_id in wanted})
