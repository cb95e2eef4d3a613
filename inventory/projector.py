"""Projects the stock ledger to the read models, book by book, by version.

There is no cursor over the whole ledger: event ids become visible out of order, and a cursor would skip events that
commit late. The versions of one book have no gap, and its `inventory` row has the newest one. A row of InventoryView
that is behind takes the balances of its book's newest event, and the events that it has missed are added to the
movements of their days, in one transaction.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.prepared import UpdateEach
from cloudmart.database.transactions import joining
from inventory.batches import PAGE, packed
from inventory.locks import lock_views, record_some
from inventory.models import InventoryRecord, InventoryView, PendingEvent, StockEvent, StockMovement
from inventory.movements import COLUMNS, LedgerEvent, Movements
from inventory.stock import EventType, Stock, StockChange

logger = logging.getLogger(__name__)

KNOWN = Coalesce(F("book__view__version"), 0)
"""The version of a book in the read model."""

EVENT = ("version", "type", "on_hand_delta", "reserved_delta", "on_hand_after", "reserved_after", "happened_at")

ROWS = 50
"""Rows of movements updated by one statement."""

UPDATE_VIEW = UpdateEach(InventoryView, "on_hand", "reserved", "available", "version", "changed_at")
UPDATE_MOVEMENTS = UpdateEach(StockMovement, *COLUMNS)


def records_behind(book_ids: Iterable[str] | None = None) -> QuerySet[InventoryRecord]:
    """The `inventory` rows that the read model lags behind or lacks, of these books or of all."""
    behind = InventoryRecord.objects.filter(Q(book__view=None) | Q(book__view__version__lt=F("version")))
    return behind if book_ids is None else behind.filter(pk__in=list(book_ids))


def catch_up(book_ids: Iterable[str] | None = None) -> int:
    """Brings the read models of these books, or of all, up to date. Returns the number of changed books.

    Each batch is a transaction of its own, unless one is open. Several processes may do this at once.
    """
    record_events(book_ids)
    behind = records_behind(book_ids).order_by("pk").values_list("pk", F("version") - KNOWN)
    return sum(map(joining(_update), packed(list(behind), PAGE)))


def show_new(book_id: str) -> None:
    """Adds the row of a book without events to the read model."""
    InventoryView.objects.bulk_create([InventoryView(book_id=book_id)], ignore_conflicts=True)


def record_events(book_ids: Iterable[str] | None = None) -> None:
    """Moves the pending events of these books, or of all, to the ledger. Does nothing unless books may be split."""
    if settings.SHELF_SHARDS > 1:
        record_found(
            PendingEvent.objects.all() if book_ids is None else PendingEvent.objects.filter(shelf__in=book_ids)
        )


def record_found(pending: QuerySet[PendingEvent]) -> None:
    """Moves all pending events of the books of these to the ledger, also those of processes with another setting.

    Those that contradict their book's stock stay where they are, and the other books go on; the audit reports them.
    """
    for book_id in list(pending.order_by("shelf").values_list("shelf", flat=True).distinct()):
        try:
            while joining(record_some)(book_id):
                pass
        except ValueError:
            logger.exception("the pending events of %s contradict its stock", book_id)


def lag() -> dict[str, Any]:
    """By how many books, events and seconds the read model is behind."""
    missed = StockEvent.objects.filter(shelf=OuterRef("pk"), version=OuterRef("known") + 1)
    behind = (
        records_behind()
        .annotate(known=KNOWN, since=Subquery(missed.values("happened_at")))
        .aggregate(
            books=Count("pk"),
            events=Sum(F("version") - F("known"), default=0),
            longest=Max(DatabaseNow() - F("since")),
        )
    )
    longest = behind.pop("longest")
    return {**behind, "seconds": max(0.0, longest.total_seconds()) if longest else 0.0}


def recount(book_id: str) -> None:
    """Counts the movements of a book again, in the shop's present time zone, up to the version of its InventoryView.

    Runs in the caller's transaction.
    """
    for view in lock_views([book_id]):
        StockMovement.objects.filter(book=book_id).delete()
        _add({book_id: _events_of(book_id, 0, view.version)})


def _update(book_ids: list[str]) -> int:
    """Updates these books under the lock of their rows, so that no event counts twice. Returns how many changed.

    A book whose version has no event in the ledger is left as it is; `rebuild_inventory` reports it.
    """
    rows = InventoryView.objects
    known = set(rows.filter(pk__in=book_ids).values_list("pk", flat=True))
    new = [InventoryView(book_id=book_id) for book_id in book_ids if book_id not in known]
    rows.bulk_create(new, ignore_conflicts=True)
    views = {view.pk: view for view in lock_views(book_ids)}
    newest = dict(InventoryRecord.objects.filter(pk__in=views).values_list("pk", "version"))
    missed = _events({pk: (view.version, newest[pk]) for pk, view in views.items() if view.version < newest[pk]})
    missed = {pk: movements for pk, movements in missed.items() if movements.version == newest[pk]}
    StockMovement.objects.filter(book__in=[pk for pk in missed if not views[pk].version]).delete()
    _add(missed)
    for pk, movements in missed.items():
        _show(views[pk], movements.last)
    return len({*missed, *(row.pk for row in new)})


def _show(view: InventoryView, last: LedgerEvent | None) -> None:
    """Updates the row to the stock after this event."""
    if last:
        view.on_hand, view.reserved, view.version = last.after.on_hand, last.after.reserved, last.after.version
        view.available, view.changed_at = last.after.available, last.at
        UPDATE_VIEW(view)


def _events(ranges: Mapping[str, tuple[int, int]]) -> dict[str, Movements]:
    """Returns the movements of each book by its events after the first version, up to and including the second."""
    if len(ranges) == 1:
        return {book_id: _events_of(book_id, *versions) for book_id, versions in ranges.items()}
    found: dict[str, Movements] = {book_id: Movements() for book_id in ranges}
    if ranges:
        wanted: list[Any] = [
            Q(shelf=book, version__gt=after, version__lte=last) for book, (after, last) in ranges.items()
        ]
        rows = StockEvent.objects.filter(Q.create(wanted, connector=Q.OR)).values_list("shelf_id", *EVENT)
        for book_id, *event in sorted(rows):
            found[book_id].add([_ledger_event(*event)])
    return found


def _events_of(book_id: str, after: int, last: int) -> Movements:
    """The same of one book, read a page at a time."""
    movements = Movements()
    for start in range(after, last, PAGE):
        page = StockEvent.objects.filter(shelf=book_id, version__gt=start, version__lte=min(start + PAGE, last))
        movements.add(_ledger_event(*event) for event in sorted(page.values_list(*EVENT)))
    return movements


def _ledger_event(
    version: int, kind: str, on_hand_delta: int, reserved_delta: int, on_hand: int, reserved: int, at: datetime
) -> LedgerEvent:
    change = StockChange(EventType(kind), on_hand_delta, reserved_delta)
    return LedgerEvent(change, Stock(on_hand, reserved, version), at)


def _add(missed: Mapping[str, Movements]) -> None:
    """Adds these movements to the rows of their books and days."""
    days = {day for movements in missed.values() for day in movements.days}
    stored = StockMovement.objects.filter(day__in=days, book__in=list(missed))
    rows = {(row.book_id, row.day): row for row in stored}
    new: dict[tuple[str, date], StockMovement] = {}
    for book_id, movements in missed.items():
        for day, copies in movements.days.items():
            key = book_id, day
            row = rows.get(key) or new.setdefault(key, StockMovement(book_id=book_id, day=day))
            for column, number in copies.items():
                setattr(row, column, getattr(row, column) + number)
    StockMovement.objects.bulk_create(new.values())
    changed = [row for row in rows.values() if row.day in missed[row.book_id].days]
    for start in range(0, len(changed), ROWS):
        UPDATE_MOVEMENTS(*changed[start : start + ROWS])
