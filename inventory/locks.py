"""The only place that locks stock: in primary-key order, before anything that depends on it is read."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import QuerySet

from cloudmart.database.clock import READ_AT
from cloudmart.database.prepared import Insert, Select, UpdateEach
from cloudmart.kernel.text import LONGEST_REASON, storable
from inventory.errors import UnknownBook
from inventory.models import Book, InventoryRecord, InventoryView, Reservation, StockEvent, by_code
from inventory.stock import Stock, StockChange

TICK = timedelta(microseconds=1)

LOCK = Select(
    lambda book_ids: (
        InventoryRecord.objects.select_for_update().filter(pk__in=book_ids).order_by("pk").annotate(**READ_AT)
    )
)
RESERVATIONS = Select(
    lambda order_id, book_ids: Reservation.objects.filter(order_id=order_id, shelf__in=book_ids),
)
INSERT_EVENTS = Insert(StockEvent)
UPDATE_STOCK = UpdateEach(InventoryRecord, "on_hand", "reserved", "version", "changed_at")


def lock_stock(book_ids: Iterable[str]) -> "LockedStock":
    """Locks the stock of these books. Raises UnknownBook with every unknown code."""
    return LockedStock(by_code(LOCK, book_ids))


def lock_book(book_id: str) -> Book:
    """Locks the book's title and price, not its stock. Raises UnknownBook."""
    book = Book.objects.select_for_update().filter(pk=book_id).first()
    if book is None:
        raise UnknownBook(book_ids=[book_id])
    return book


def lock_views(book_ids: Iterable[str]) -> list[InventoryView]:
    """Locks the rows of the read model of these books, and with them the movements of the books."""
    return list(InventoryView.objects.select_for_update().filter(pk__in=list(book_ids)).order_by("pk"))


def lock_reservations(
    reservations: QuerySet[Reservation], book_ids: Iterable[str] = ()
) -> tuple["LockedStock", list[Reservation]]:
    """Locks the stock of these reservations and books. Returns the stock, and the reservations as read under lock.

    The stock of a reservation that another transaction inserts before the lock is granted is locked afterwards, out of
    order. That can deadlock; the caller's transaction then runs again.
    """
    stock, found = lock_stock(book_ids), list(reservations)
    while missing := {reservation.book_id for reservation in found if reservation.book_id not in stock}:
        stock = stock.joined(lock_stock(missing))
        found = list(reservations.all())
    return stock, found


class LockedStock:
    """The locked stock of some books. `append` adds events; `save` writes them and the new balances."""

    def __init__(self, rows: dict[str, InventoryRecord]) -> None:
        self._rows = rows
        self._events: list[StockEvent] = []

    def joined(self, other: "LockedStock") -> "LockedStock":
        """The stock of both, as it was locked."""
        return LockedStock({**self._rows, **other._rows})

    def __contains__(self, book_id: str) -> bool:
        return book_id in self._rows

    def __getitem__(self, book_id: str) -> Stock:
        return self._rows[book_id].stock

    @cached_property
    def now(self) -> datetime:
        """The time by which the transaction decides, and which it writes."""
        return max(row.read_at for row in self._rows.values())

    def reservations_of(self, order_id: UUID) -> dict[str, Reservation]:
        """The order's reservations of these books, in any status, by book."""
        reservations = RESERVATIONS(order_id=order_id, book_ids=list(self._rows))
        return {reservation.book_id: reservation for reservation in reservations}

    def append(
        self,
        book_id: str,
        change: StockChange,
        *,
        reservation: Reservation | None = None,
        reference: str | None = None,
        reason: str = "",
        actor: str = "",
    ) -> None:
        """Applies `change` to the book's stock, and adds its event."""
        row = self._rows[book_id]
        stock = row.stock = row.stock.after(change)
        row.changed_at = self._next_moment(row)
        self._events.append(
            StockEvent(
                shelf_id=book_id,
                version=stock.version,
                type=change.type,
                on_hand_delta=change.on_hand_delta,
                reserved_delta=change.reserved_delta,
                on_hand_after=stock.on_hand,
                reserved_after=stock.reserved,
                reservation_id=reservation.pk if reservation else None,
                order_id=reservation.order_id if reservation else None,
                reference=reference,
                reason=storable(reason, LONGEST_REASON),
                actor=actor,
                happened_at=row.changed_at,
            )
        )

    def save(self) -> None:
        INSERT_EVENTS(*self._events)
        UPDATE_STOCK(*(self._rows[book_id] for book_id in sorted({event.shelf_id for event in self._events})))
        self._events = []

    def _next_moment(self, row: InventoryRecord) -> datetime:
        """Now, or one tick after the book's previous event if the clock was set back."""
        return max(self.now, row.changed_at + TICK) if row.changed_at else self.now
