"""The movements of a book by day: copies that are added, sold and so on. Computed without the database."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from django.conf import settings

from inventory.stock import EventType, Stock, StockChange

MOVED_BY = {
    EventType.STOCK_ADDED: "added",
    EventType.RESERVATION_CONFIRMED: "sold",
    EventType.STOCK_RETURNED: "returned",
    EventType.STOCK_ADJUSTED: "adjusted",
    EventType.STOCK_RESERVED: "reserved",
    EventType.RESERVATION_CANCELLED: "released",
    EventType.RESERVATION_EXPIRED: "expired",
}
"""The column in which an event counts. Only `adjusted` may be negative."""

COLUMNS = tuple(MOVED_BY.values())


class LedgerEvent(NamedTuple):
    """An event of a book: its change, the stock after it, and its time."""

    change: StockChange
    after: Stock
    at: datetime


@dataclass(slots=True)
class Movements:
    """Copies by day and column, after these events, and the last of them."""

    days: dict[date, Counter[str]] = field(default_factory=dict)
    last: LedgerEvent | None = None

    def add(self, events: Iterable[LedgerEvent]) -> "Movements":
        """Adds the next events."""
        for event in events:
            column, copies = moved(event.change)
            self.days.setdefault(day_of(event.at), Counter())[column] += copies
            self.last = event
        return self

    @property
    def version(self) -> int:
        """The version of the book after the last event; 0 without any."""
        return self.last.after.version if self.last else 0


def day_of(moment: datetime) -> date:
    """Returns the day in the time zone of the shop."""
    return moment.astimezone(settings.SHOP_TIME_ZONE).date()


def moved(change: StockChange) -> tuple[str, int]:
    """Returns the column in which a change counts, and its copies."""
    column, copies = MOVED_BY[change.type], change.on_hand_delta or change.reserved_delta
    return column, copies if column == "adjusted" else abs(copies)
