"""The event `stock.low`: the available copies of a book have fallen from above its threshold to it, or below.

It is recorded in the transaction in which they fall, and again only after they were above. The caller has locked the
rows of `inventory`. The copies of a sub-shelf count when its events move to the ledger.
"""

from collections.abc import Collection, Iterable

from cloudmart.outbox.recording import BOOK, record
from cloudmart.outbox.types import EventType
from inventory.models import InventoryRecord


def low_among(rows: Iterable[InventoryRecord]) -> set[str]:
    """Returns the books whose stock is low."""
    return {row.pk for row in rows if row.is_low}


def record_low_stock(rows: Iterable[InventoryRecord], low_before: Collection[str]) -> None:
    """Records the event of each book whose stock is low, and was not before."""
    for row in rows:
        if row.is_low and row.pk not in low_before:
            record(EventType.STOCK_LOW, BOOK, row.pk, _data(row))


def _data(row: InventoryRecord) -> dict[str, str | int | None]:
    return {
        "book_id": row.pk,
        "available": row.stock.available,
        "on_hand": row.on_hand,
        "reserved": row.reserved,
        "threshold": row.low_stock_threshold,
    }
