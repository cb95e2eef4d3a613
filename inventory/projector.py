"""The read model: the row of each book follows that book's own history, by its version.

No position in the ledger as a whole is kept. Ids of events become visible in another order than they were given out
in, and a cursor over them would pass over what commits late; but the versions of one book have no gap, and its shelf
tells the newest. A row that is behind takes the balances after its book's newest event, however many it has missed.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import joining
from inventory.models import InventoryRecord, InventoryView, StockEvent

BATCH = 500
"""Books that one transaction brings up to date."""

KNOWN = Coalesce(F("book__view__version"), 0)
"""The version that the read model knows of a book."""


def shelves_behind(book_ids: Iterable[str] | None = None) -> QuerySet[InventoryRecord]:
    """The shelves of which the read model does not know all, or nothing: of these books, or of all."""
    shelves = InventoryRecord.objects.filter(Q(book__view=None) | Q(book__view__version__lt=F("version")))
    return shelves if book_ids is None else shelves.filter(pk__in=list(book_ids))


def catch_up(book_ids: Iterable[str] | None = None) -> int:
    """Now the read model knows all that had happened to these books, or to all; returns how many rows that changed.

    A few books at a time, each time in a transaction; all in one where one is open. Any number may do this at once.
    """
    behind = list(shelves_behind(book_ids).order_by("pk").values_list("pk", flat=True))
    return sum(joining(_bring_up)(behind[start : start + BATCH]) for start in range(0, len(behind), BATCH))


def lag() -> dict[str, Any]:
    """How many books the read model is behind with, by how many events, and for how many seconds."""
    missed = StockEvent.objects.filter(shelf=OuterRef("pk"), version=OuterRef("known") + 1)
    behind = (
        shelves_behind()
        .annotate(known=KNOWN, since=Subquery(missed.values("happened_at")))
        .aggregate(
            books=Count("pk"),
            events=Sum(F("version") - F("known"), default=0),
            longest=Max(DatabaseNow() - F("since")),
        )
    )
    longest = behind.pop("longest")
    return {**behind, "seconds": max(0.0, longest.total_seconds()) if longest else 0.0}


def _bring_up(book_ids: list[str]) -> int:
    """Each row by compare-and-set, so that none goes back when somebody else was faster; returns how many it changed.

    A shelf that is at a version of which the ledger has no event is left as it is: rebuilding names it.
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
