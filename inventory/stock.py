"""The stock of one book as an event-sourced aggregate, without the database.

Each command of `Stock` returns a StockChange, or raises; `after` applies it. The `inventory` row is a snapshot of the
stock; replaying all events of the book gives the same stock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inventory.errors import OutOfStock, StockIsReserved, TooMuchStock

MOST_COPIES = 2_000_000_000
"""The most copies of one book in stock. The database's limit is higher, so sold copies can always be returned."""


class EventType(StrEnum):
    STOCK_ADDED = "StockAdded"
    STOCK_RESERVED = "StockReserved"
    RESERVATION_CONFIRMED = "ReservationConfirmed"
    RESERVATION_CANCELLED = "ReservationCancelled"
    RESERVATION_EXPIRED = "ReservationExpired"
    STOCK_RETURNED = "StockReturned"
    STOCK_ADJUSTED = "StockAdjusted"


@dataclass(frozen=True, slots=True)
class StockChange:
    """A change of one book's stock: its type, and by how many copies `on_hand` and `reserved` change."""

    type: EventType
    on_hand_delta: int
    reserved_delta: int


@dataclass(frozen=True, slots=True)
class Stock:
    """Copies of one book: `on_hand` in stock, of which `reserved` for orders, after `version` events."""

    on_hand: int = 0
    reserved: int = 0
    version: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    def is_low(self, threshold: int | None) -> bool:
        """Returns True if at most `threshold` copies are available. Without a threshold, stock is never low."""
        return threshold is not None and self.available <= threshold

    def add(self, copies: int) -> StockChange:
        """Raises TooMuchStock."""
        return self._checked(StockChange(EventType.STOCK_ADDED, copies, 0))

    def reserve(self, copies: int) -> StockChange:
        """Raises OutOfStock."""
        if copies > self.available:
            raise OutOfStock(requested=copies, available=self.available)
        return StockChange(EventType.STOCK_RESERVED, 0, copies)

    def confirm(self, copies: int) -> StockChange:
        return StockChange(EventType.RESERVATION_CONFIRMED, -copies, -copies)

    def release(self, copies: int) -> StockChange:
        return StockChange(EventType.RESERVATION_CANCELLED, 0, -copies)

    def expire(self, copies: int) -> StockChange:
        return StockChange(EventType.RESERVATION_EXPIRED, 0, -copies)

    def put_back(self, copies: int) -> StockChange:
        """Returns sold copies to stock."""
        return StockChange(EventType.STOCK_RETURNED, copies, 0)

    def adjust(self, delta: int) -> StockChange:
        """Corrects the stock by `delta` copies.

        Raises StockIsReserved when fewer copies would remain than are reserved, and TooMuchStock.
        """
        if self.on_hand + delta < self.reserved:
            raise StockIsReserved(on_hand=self.on_hand, reserved=self.reserved, delta=delta)
        return self._checked(StockChange(EventType.STOCK_ADJUSTED, delta, 0))

    def _checked(self, change: StockChange) -> StockChange:
        if self.on_hand + change.on_hand_delta > MOST_COPIES:
            raise TooMuchStock(on_hand=self.on_hand, most=MOST_COPIES)
        return change

    def after(self, change: StockChange) -> "Stock":
        on_hand, reserved = self.on_hand + change.on_hand_delta, self.reserved + change.reserved_delta
        if not 0 <= reserved <= on_hand:
            raise ValueError(f"{change} is impossible after {self}")
        return Stock(on_hand, reserved, self.version + 1)


def shortages_of(wanted: Mapping[str, int], available: Mapping[str, int]) -> list[dict[str, object]]:
    """The books of which more copies are wanted than available."""
    return [
        {"book_id": book_id, "requested": copies, "available": available[book_id]}
        for book_id, copies in wanted.items()
        if copies > available[book_id]
    ]


def shared_out(stock: Stock, reserved: Sequence[int]) -> list[Stock]:
    """Returns the stock in as many shares as there are numbers in `reserved`.

    Each share has its reserved copies, as far as they are not negative and add up to those of the stock. What is
    available is spread evenly.
    """
    shares, missing = [], stock.reserved
    for copies in reserved:
        shares.append(min(max(copies, 0), missing))
        missing -= shares[-1]
    shares[0] += missing
    each, more = divmod(stock.available, len(shares))
    return [Stock(copies + each + (number < more), copies) for number, copies in enumerate(shares)]
