"""The locked shelves of one transaction: what happens to them is written to ledger and snapshot together."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property

from cloudmart.kernel.text import LONGEST_REASON, storable
from inventory.locks import lock_stock
from inventory.models import InventoryRecord, Reservation, StockEvent
from inventory.stock import Happened, Stock

TICK = timedelta(microseconds=1)


class Shelves:
    """Several books' stock under lock. Nothing is written before `save`."""

    def __init__(self, book_ids: Iterable[str]) -> None:
        """Raises UnknownBook."""
        self._rows: dict[str, InventoryRecord] = {}
        self._stock: dict[str, Stock] = {}
        self._events: list[StockEvent] = []
        self.lock(book_ids)

    def lock(self, book_ids: Iterable[str]) -> None:
        """Lock these books besides those that are locked already. Raises UnknownBook."""
        rows = lock_stock(set(book_ids) - self._rows.keys())
        self._rows.update(rows)
        self._stock.update({book_id: row.stock for book_id, row in rows.items()})

    def __contains__(self, book_id: str) -> bool:
        return book_id in self._rows

    @cached_property
    def now(self) -> datetime:
        """The one time by which this transaction decides, and that it writes. There is none without a book."""
        return max(row.read_at for row in self._rows.values())

    def __getitem__(self, book_id: str) -> Stock:
        return self._stock[book_id]

    def note(
        self,
        book_id: str,
        happened: Happened,
        *,
        reservation: Reservation | None = None,
        reference: str | None = None,
        reason: str = "",
        actor: str = "",
    ) -> None:
        """`happened` is the next event of this book, and its stock is what that leads to."""
        stock = self._stock[book_id] = self._stock[book_id].after(happened)
        self._events.append(
            StockEvent(
                shelf_id=book_id,
                version=stock.version,
                type=happened.type,
                on_hand_delta=happened.on_hand_delta,
                reserved_delta=happened.reserved_delta,
                on_hand_after=stock.on_hand,
                reserved_after=stock.reserved,
                reservation_id=reservation.pk if reservation else None,
                order_id=reservation.order_id if reservation else None,
                reference=reference,
                reason=storable(reason, LONGEST_REASON),
                actor=actor,
                happened_at=self._tick(book_id),
            )
        )

    def save(self) -> None:
        StockEvent.objects.bulk_create(self._events)
        for book_id in sorted({event.shelf_id for event in self._events}):
            stock, changed_at = self._stock[book_id], self._rows[book_id].changed_at
            InventoryRecord.objects.filter(pk=book_id).update(
                on_hand=stock.on_hand, reserved=stock.reserved, version=stock.version, changed_at=changed_at
            )
        self._events = []

    def _tick(self, book_id: str) -> datetime:
        """Now; but always later than this book's event before, also when the clock goes back."""
        row = self._rows[book_id]
        row.changed_at = max(self.now, row.changed_at + TICK) if row.changed_at else self.now
        return row.changed_at
