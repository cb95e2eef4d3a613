"""Replays the ledger, compares snapshots and read model with it, and restores them from it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from cloudmart.database.invariants import total
from cloudmart.database.transactions import durable
from inventory.batches import PAGE, packed
from inventory.locks import lock_record
from inventory.models import InventoryRecord, InventoryView, StockEvent, StockMovement
from inventory.projector import recount
from inventory.stock import EventType, Stock, StockChange

Columns = tuple[str, int, str, int, int, int, int]
COLUMNS = ("shelf_id", "version", "type", "on_hand_delta", "reserved_delta", "on_hand_after", "reserved_after")


@dataclass(slots=True)
class Replay:
    """The replay of one book's events."""

    book_id: str
    snapshot: Stock
    view: Stock | None
    """The stock in the read model; None when it has no row."""
    moved: tuple[int, int]
    """The copies on hand and reserved to which the movements in the read model add up."""
    newest: int
    """The version of the last event."""
    stock: Stock = field(default_factory=Stock)
    fault: str = ""
    """The first contradiction in the ledger; with one, nothing can be restored from it."""
    differences: list[str] = field(default_factory=list)
    """Where snapshot or read model differ from the ledger."""

    def __post_init__(self) -> None:
        self._compare_view(0)

    def apply(self, version: int, change: StockChange, after: Stock) -> None:
        """Applies the next event; `after` is the stock recorded in it."""
        try:
            self.stock = self.stock.after(change)
        except ValueError as error:
            self.fault = self.fault or f"event {version}: {error}"
        if self.stock != after:
            self.fault = (
                self.fault or f"event {version} says {describe(after)}, the events up to it {describe(self.stock)}"
            )
            self.stock = after
        self._compare_view(version)

    def finish(self) -> "Replay":
        """Compares the snapshot, and a read model that is ahead, with the final stock."""
        self._compare("the snapshot", self.snapshot)
        if self.view and self.view.version > self.newest:
            self._compare("the read model", self.view)
        return self

    @property
    def problems(self) -> list[str]:
        return [self.fault, *self.differences] if self.fault else self.differences

    def _compare_view(self, version: int) -> None:
        if self.view and self.view.version == version:
            self._compare("the read model", self.view)
            if self.view == self.stock and self.moved != (self.stock.on_hand, self.stock.reserved):
                on_hand, reserved = self.moved
                self.differences.append(f"the movements add up to {on_hand} on hand and {reserved} reserved")

    def _compare(self, whose: str, stock: Stock) -> None:
        if stock != self.stock:
            self.differences.append(f"{whose} says {describe(stock)}, the ledger {describe(self.stock)}")


def describe(stock: Stock) -> str:
    return f"{stock.on_hand} on hand and {stock.reserved} reserved after {stock.version} events"


def replayed(
    records: QuerySet[InventoryRecord], progress: Callable[[int], None] = lambda events: None
) -> Iterator[Replay]:
    """Replays these books, in the order of their codes, each as it was at one moment."""
    for batch in _batches(records):
        replays = {replay.book_id: replay for replay in batch}
        for book_id, version, kind, on_hand_delta, reserved_delta, on_hand, reserved in _events(batch):
            change = StockChange(EventType(kind), on_hand_delta, reserved_delta)
            replays[book_id].apply(version, change, Stock(on_hand, reserved, version))
        for replay in batch:
            yield replay.finish()
        progress(sum(replay.newest for replay in batch))


@durable
def restore(book_id: str) -> None:
    """Restores snapshot and read models from the ledger. Raises ValueError when the ledger contradicts itself."""
    lock_record(book_id)
    (replay,) = replayed(InventoryRecord.objects.filter(pk=book_id))
    if replay.fault:
        raise ValueError(replay.fault)
    stock = replay.stock
    numbers = {"on_hand": stock.on_hand, "reserved": stock.reserved, "version": stock.version}
    InventoryRecord.objects.filter(pk=book_id).update(**numbers)
    InventoryView.objects.filter(pk=book_id).update(**numbers, available=stock.available)
    recount(book_id)


def moved(copies: Combinable) -> Coalesce:
    """Returns the sum of these columns over all movements of the outer book."""
    return total(StockMovement.objects.filter(book=OuterRef("pk")), copies, per="book")


def _batches(records: QuerySet[InventoryRecord]) -> Iterator[list[Replay]]:
    """Batches of books with about a page of events, each read in one statement."""
    newest = StockEvent.objects.filter(shelf=OuterRef("pk")).order_by("-version").values("version")[:1]
    sizes = records.order_by("pk").values_list("pk", "version")
    for book_ids in packed(sizes.iterator(), PAGE):
        rows = InventoryRecord.objects.filter(pk__in=book_ids).annotate(
            newest=Coalesce(Subquery(newest), 0),
            view=F("book__view__version"),
            view_on_hand=F("book__view__on_hand"),
            view_reserved=F("book__view__reserved"),
            moved_on_hand=moved(F("added") + F("returned") + F("adjusted") - F("sold")),
            moved_reserved=moved(F("reserved") - F("released") - F("expired") - F("sold")),
        )
        yield [
            Replay(
                row.pk,
                row.stock,
                None if row.view is None else Stock(row.view_on_hand, row.view_reserved, row.view),
                (row.moved_on_hand, row.moved_reserved),
                row.newest,
            )
            for row in rows.order_by("pk")
        ]


def _events(batch: list[Replay]) -> Iterator[Columns]:
    """The events of these books up to each one's `newest`, a page at a time."""
    ledger = StockEvent.objects.order_by("shelf_id", "version").values_list(*COLUMNS)
    if len(batch) > 1:
        newest = {replay.book_id: replay.newest for replay in batch}
        rows = ledger.filter(shelf__in=newest)
        yield from (row for row in rows if row[1] <= newest[row[0]])
        return
    (only,) = batch
    for start in range(0, only.newest, PAGE):
        yield from ledger.filter(shelf=only.book_id, version__gt=start, version__lte=min(start + PAGE, only.newest))
