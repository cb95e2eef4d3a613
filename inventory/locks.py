"""The only place that locks stock, before anything that depends on it is read.

The rows of `inventory` come first, then those of `sub_shelves`, each table in primary-key order.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from cloudmart.database.clock import READ_AT
from cloudmart.database.prepared import Insert, Select, UpdateEach
from cloudmart.kernel.order import Basket
from cloudmart.kernel.text import LONGEST_REASON, storable
from inventory.errors import UnknownBook
from inventory.low_stock import low_among, record_low_stock
from inventory.models import (
    Book,
    InventoryRecord,
    InventoryView,
    PendingEvent,
    Reservation,
    StockEvent,
    SubShelf,
    by_code,
)
from inventory.pending import UPDATE_STOCK, move_some, move_to_ledger, next_moment
from inventory.stock import Stock, StockChange, shared_out
from inventory.sub_shelves import home

Row = TypeVar("Row")

LOCK = Select(
    lambda book_ids: (
        InventoryRecord.objects.select_for_update().filter(pk__in=book_ids).order_by("pk").annotate(**READ_AT)
    )
)
RESERVATIONS = Select(
    lambda order_id, book_ids: Reservation.objects.filter(order_id=order_id, shelf__in=book_ids),
)
SUB_SHELVES = Select(lambda book_ids: SubShelf.objects.filter(shelf__in=book_ids).order_by("shelf", "number"))
LOCK_SUB_SHELVES = Select(
    lambda pks: SubShelf.objects.select_for_update().filter(pk__in=pks).order_by("pk").annotate(**READ_AT)
)
INSERT_EVENTS, INSERT_PENDING_EVENTS = Insert(StockEvent), Insert(PendingEvent)
UPDATE_SUB_SHELVES = UpdateEach(SubShelf, "on_hand", "reserved", "changed_at")


def lock_stock(book_ids: Iterable[str]) -> "LockedStock":
    """Locks the stock of these books. Raises UnknownBook with every unknown code.

    Of split books it locks all sub-shelves, and records what they have pending, so that the rows of `inventory` are
    the stock.
    """
    rows = by_code(LOCK, book_ids)
    split = {book_id: row for book_id, row in rows.items() if row.shards > 1}
    return LockedStock(rows, _lock_parts(split) if split else {})


def lock_stock_of(order: Basket, copies_in: Callable[[Stock], int], *, spare: int = 0) -> "LockedStock":
    """Locks the stock of the order's books; of a split book only the order's sub-shelf if it suffices.

    It suffices if it has the order's copies, as `copies_in` counts them: available or reserved. Raises UnknownBook.

    The sub-shelves are read first, so that an order that needs all of them locks all of them in their order. One that
    finds out after a lock can deadlock; the caller's transaction then runs again. What is read first must have `spare`
    copies more, for other orders that may be waiting for the same sub-shelf.
    """
    wanted = order.quantities
    seen = _sub_shelves_of(order) if settings.SHELF_SHARDS > 1 else {}
    if not seen or any(copies_in(row.stock) < wanted[book_id] + spare for book_id, row in seen.items()):
        return lock_stock(wanted)
    stock = lock_stock(wanted.keys() - seen.keys())
    locked = {row.shelf_id: row for row in LOCK_SUB_SHELVES(pks=[row.pk for row in seen.values()])}
    if all(book_id in locked and copies_in(locked[book_id].stock) >= wanted[book_id] for book_id in seen):
        return stock.joined(LockedStock(locked))
    return stock.joined(lock_stock(seen))


def lock_record(book_id: str) -> dict[str, InventoryRecord]:
    """Locks the book's row in `inventory`, not its sub-shelves: its orders can go on. Raises UnknownBook."""
    return by_code(LOCK, [book_id])


def record_some(book_id: str) -> bool:
    """Moves pending events of the book to the ledger, in the caller's transaction. Returns False if they were all."""
    return move_some(lock_record(book_id))


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
    """The locked stock of some books. `append` adds events; `save` writes them and the new balances.

    The row of a book is that of `inventory`, or one of its sub-shelves; `parts` has the sub-shelves of split books
    that are locked with their row of `inventory`.
    """

    def __init__(
        self, rows: Mapping[str, InventoryRecord | SubShelf], parts: Mapping[str, list[SubShelf]] | None = None
    ) -> None:
        self._rows, self._parts = rows, parts or {}
        self._events: list[StockEvent | PendingEvent] = []
        self._low = low_among(_only(InventoryRecord, rows.values()))

    def joined(self, other: "LockedStock") -> "LockedStock":
        """The stock of both, as it was locked."""
        return LockedStock({**self._rows, **other._rows}, {**self._parts, **other._parts})

    def __contains__(self, book_id: str) -> bool:
        return book_id in self._rows

    def __getitem__(self, book_id: str) -> Stock:
        return self._rows[book_id].stock

    @cached_property
    def now(self) -> datetime:
        """The time by which the transaction decides, and which it writes."""
        return max(row.read_at for row in self._rows.values())

    def locked_whole(self, book_ids: Iterable[str]) -> list[str]:
        """Returns the books that are not locked by a sub-shelf only: other orders' reservations of them can end."""
        return [book_id for book_id in book_ids if isinstance(self._rows[book_id], InventoryRecord)]

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
        reason: str = "",
        actor: str = "",
        **columns: str | None,
    ) -> None:
        """Applies `change` to the book's stock, and adds its event. `columns` may have a `reference`."""
        row = self._rows[book_id]
        row.stock = row.stock.after(change)
        row.changed_at = next_moment(row, self.now)
        self._events.append(
            row.event(
                change,
                reservation_id=reservation.pk if reservation else None,
                order_id=reservation.order_id if reservation else None,
                reason=storable(reason, LONGEST_REASON),
                actor=actor,
                happened_at=row.changed_at,
                **columns,
            )
        )
        if reservation and (parts := self._parts.get(book_id)):
            parts[home(reservation.order_id, len(parts))].reserved += change.reserved_delta

    def save(self) -> None:
        """Writes the events and the new balances, and records `stock.low` of the books whose stock has become low."""
        changed = sorted({event.shelf_id for event in self._events})
        rows = [self._rows[book_id] for book_id in changed]
        INSERT_EVENTS(*_only(StockEvent, self._events))
        UPDATE_STOCK(*(records := _only(InventoryRecord, rows)))
        INSERT_PENDING_EVENTS(*_only(PendingEvent, self._events))
        UPDATE_SUB_SHELVES(*_only(SubShelf, rows), *self._shares(changed))
        self._events = []
        record_low_stock(records, self._low)
        self._low = self._low - set(changed) | low_among(records)

    def _shares(self, book_ids: Iterable[str]) -> Iterator[SubShelf]:
        """Yields the sub-shelves of these books that are all locked, with their shares of the new stock."""
        for book_id in self._parts.keys() & book_ids:
            row, parts = self._rows[book_id], self._parts[book_id]
            shares = shared_out(row.stock, [part.reserved for part in parts])
            for part, share in zip(parts, shares, strict=True):
                part.stock, part.changed_at = share, row.changed_at
                yield part


def _sub_shelves_of(order: Basket) -> dict[str, SubShelf]:
    """Returns the order's sub-shelf of each split book, not locked."""
    found: dict[str, list[SubShelf]] = defaultdict(list)
    for row in SUB_SHELVES(book_ids=set(order.quantities)):
        found[row.shelf_id].append(row)
    return {book_id: rows[home(order.order_id, len(rows))] for book_id, rows in found.items()}


def _lock_parts(rows: Mapping[str, InventoryRecord]) -> dict[str, list[SubShelf]]:
    """Locks all sub-shelves of these books, whose rows are locked, and records what they have pending."""
    parts: dict[str, list[SubShelf]] = {book_id: [] for book_id in rows}
    pks = [row.pk for row in SUB_SHELVES(book_ids=set(rows))]
    for part in LOCK_SUB_SHELVES(pks=pks):
        parts[part.shelf_id].append(part)
    move_to_ledger(rows)
    return parts


def _only(kind: type[Row], rows: Iterable[Any]) -> list[Row]:
    """Those of the rows that belong to this model."""
    return [row for row in rows if isinstance(row, kind)]
