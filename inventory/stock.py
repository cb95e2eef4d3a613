"""The stock of one book as an event-sourced aggregate: pure, no database.

Commands look at the state and answer with an event, or refuse; applying the event gives the next state. The row in
`inventory` is a snapshot of this state, and replaying all events of a book gives the very same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from inventory.errors import OutOfStock, StockIsReserved, TooMuchStock

MOST_COPIES = 2_000_000_000
"""On one shelf. The database counts a little further, so that what was sold can always come back."""


class EventType(StrEnum):
    """What can happen to a shelf."""

    STOCK_ADDED = "StockAdded"
    STOCK_RESERVED = "StockReserved"
    RESERVATION_CONFIRMED = "ReservationConfirmed"
    RESERVATION_CANCELLED = "ReservationCancelled"
    RESERVATION_EXPIRED = "ReservationExpired"
    STOCK_RETURNED = "StockReturned"
    STOCK_ADJUSTED = "StockAdjusted"


@dataclass(frozen=True, slots=True)
class Happened:
    """One event: how many copies came to the shelf or left it, and to or from those reserved."""

    type: EventType
    on_hand_delta: int
    reserved_delta: int


@dataclass(frozen=True, slots=True)
class Stock:
    """Copies of one book: `on_hand` on the shelf, `reserved` of them for orders, after `version` events."""

    on_hand: int = 0
    reserved: int = 0
    version: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    def add(self, copies: int) -> Happened:
        """Raises TooMuchStock."""
        return self._on_the_shelf(Happened(EventType.STOCK_ADDED, copies, 0))

    def reserve(self, copies: int) -> Happened:
        """Raises OutOfStock."""
        if copies > self.available:
            raise OutOfStock(requested=copies, available=self.available)
        return Happened(EventType.STOCK_RESERVED, 0, copies)

    def confirm(self, copies: int) -> Happened:
        return Happened(EventType.RESERVATION_CONFIRMED, -copies, -copies)

    def release(self, copies: int) -> Happened:
        return Happened(EventType.RESERVATION_CANCELLED, 0, -copies)

    def expire(self, copies: int) -> Happened:
        return Happened(EventType.RESERVATION_EXPIRED, 0, -copies)

    def put_back(self, copies: int) -> Happened:
        """Copies that had been sold are on the shelf again."""
        return Happened(EventType.STOCK_RETURNED, copies, 0)

    def adjust(self, delta: int) -> Happened:
        """The shelf was counted. Raises TooMuchStock; StockIsReserved when the rest does not cover what is held."""
        if self.on_hand + delta < self.reserved:
            raise StockIsReserved(on_hand=self.on_hand, reserved=self.reserved, delta=delta)
        return self._on_the_shelf(Happened(EventType.STOCK_ADJUSTED, delta, 0))

    def _on_the_shelf(self, happened: Happened) -> Happened:
        if self.on_hand + happened.on_hand_delta > MOST_COPIES:
            raise TooMuchStock(on_hand=self.on_hand, most=MOST_COPIES)
        return happened

    def after(self, event: Happened) -> "Stock":
        on_hand, reserved = self.on_hand + event.on_hand_delta, self.reserved + event.reserved_delta
        if not 0 <= reserved <= on_hand:
            raise ValueError(f"{event} is impossible after {self}")
        return Stock(on_hand, reserved, self.version + 1)


def replay(events: Iterable[Happened]) -> Stock:
    """The state that these events, in their order, lead to."""
    stock = Stock()
    for event in events:
        stock = stock.after(event)
    return stock
