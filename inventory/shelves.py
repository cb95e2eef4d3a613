"""The locked shelves of one transaction: what happens to them is written to ledger and snapshot together."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from inventory.locks import lock_stock
from inventory.models import InventoryRecord, Reservation, StockEvent
from inventory.stock import Happened, Stock

TICK = timedelta(microseconds=1)


class Shelves:
    """Several books' stock under lock. Nothing is written before `save`."""

    def __init__(self, book_ids: Iterable[str]) -> None:
        """Raises UnknownBook."""
        self._rows = lock_stock(book_ids)
        self._stock = {book_id: row.stock for book_id, row in self._rows.items()}
        self._events: list[StockEvent] = []

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
                reason=reason,
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
        """Now; but always later than this book's event before, whatever the clocks of our machines say."""
        row, now = self._rows[book_id], timezone.now()
        row.changed_at = max(now, row.changed_at + TICK) if row.changed_at else now
        return row.changed_at
