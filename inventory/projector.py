"""Projects the stock ledger to the read model, book by book, by version.

There is no cursor over the whole ledger: event ids become visible out of order, and a cursor would skip events that
commit late. The versions of one book have no gap, and its `inventory` row has the newest one. A row that is behind
takes the balances of its book's newest event.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import joining
from inventory.models import InventoryRecord, InventoryView, StockEvent

BATCH = 500
"""Books updated in one transaction."""

KNOWN = Coalesce(F("book__view__version"), 0)
"""The version of a book in the read model."""


def records_behind(book_ids: Iterable[str] | None = None) -> QuerySet[InventoryRecord]:
    """The `inventory` rows that the read model lags behind or lacks, of these books or of all."""
    behind = InventoryRecord.objects.filter(Q(book__view=None) | Q(book__view__version__lt=F("version")))
    return behind if book_ids is None else behind.filter(pk__in=list(book_ids))


def catch_up(book_ids: Iterable[str] | None = None) -> int:
    """Brings the read model of these books, or of all, up to date. Returns the number of changed rows.

    Each batch is a transaction of its own, unless one is open. Several processes may do this at once.
    """
    behind = list(records_behind(book_ids).order_by("pk").values_list("pk", flat=True))
    return sum(joining(_update)(behind[start : start + BATCH]) for start in range(0, len(behind), BATCH))


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


def _update(book_ids: list[str]) -> int:
    """Updates each row by compare-and-set, so that no row goes back to an older version. Returns the changed rows.

    A book whose version has no event in the ledger is left as it is; `rebuild_inventory` reports it.
    """
    rows = InventoryView.objects
    known = set(rows.filter(pk__in=book_ids).values_list("pk", flat=True))
    new = [InventoryView(book_id=book_id) for book_id in book_ids if book_id not in known]
    rows.bulk_create(new, ignore_conflicts=True)
    changed = {row.book_id for row in new}
    newest = StockEvent.objects.filter(shelf__in=book_ids, version=F("shelf__version")).order_by("shelf_id")
    for event in newest:
        is_changed = rows.filter(pk=event.shelf_id, version__lt=event.version).update(
            on_hand=event.on_hand_after,
            reserved=event.reserved_after,
            available=event.stock_after.available,
            version=event.version,
            changed_at=event.happened_at,
        )
        if is_changed:
            changed.add(event.shelf_id)
    return len(changed)
