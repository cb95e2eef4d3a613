"""The events of sub-shelves, and their way to the ledger. The caller has locked the rows of `inventory`."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Min

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.prepared import DeleteEach, UpdateEach
from inventory.low_stock import low_among, record_low_stock
from inventory.models import InventoryRecord, PendingEvent, StockEvent, SubShelf

TICK = timedelta(microseconds=1)

BATCH = 500
"""Events that are moved at a time."""

DELETE_PENDING = DeleteEach(PendingEvent)
UPDATE_STOCK = UpdateEach(InventoryRecord, "on_hand", "reserved", "version", "changed_at")


def move_to_ledger(rows: Mapping[str, InventoryRecord]) -> None:
    """Moves all pending events of these books to the ledger."""
    while move_some(rows):
        pass


def move_some(rows: Mapping[str, InventoryRecord]) -> bool:
    """Moves pending events of these books to the ledger, by their times, and applies them to the rows.

    Returns False if they were all. The events of each sub-shelf keep their order. That of different ones does not
    matter: between them copies move only when all sub-shelves are locked and nothing is pending. Records `stock.low`
    of the books whose stock has become low.
    """
    pending = list(PendingEvent.objects.filter(shelf__in=rows).order_by("happened_at", "pk")[:BATCH])
    if pending:
        low = low_among(rows.values())
        StockEvent.objects.bulk_create([_applied(rows[each.shelf_id], each) for each in pending])
        UPDATE_STOCK(*rows.values())
        DELETE_PENDING(*pending)
        record_low_stock(rows.values(), low)
    return len(pending) == BATCH


def pending_lag() -> timedelta:
    """Returns the age of the oldest pending event; 0 if there is none."""
    lag: timedelta | None = PendingEvent.objects.aggregate(lag=DatabaseNow() - Min("happened_at"))["lag"]
    return lag or timedelta()


def next_moment(row: InventoryRecord | SubShelf, moment: datetime) -> datetime:
    """Returns the moment, or one tick after the row's previous event if that is later."""
    return max(moment, row.changed_at + TICK) if row.changed_at else moment


def _applied(row: InventoryRecord, pending: PendingEvent) -> StockEvent:
    """Applies the change to the row, and returns its event in the ledger."""
    row.stock = row.stock.after(pending.change)
    row.changed_at = next_moment(row, pending.happened_at)
    return row.event(
        pending.change,
        reservation_id=pending.reservation_id,
        order_id=pending.order_id,
        reason=pending.reason,
        actor=pending.actor,
        happened_at=row.changed_at,
    )
