"""The ledger replayed: what snapshots and read model must be, told from nothing but the events."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from cloudmart.database.transactions import durable
from inventory.locks import lock_stock
from inventory.models import InventoryRecord, InventoryView, StockEvent
from inventory.stock import EventType, Happened, Stock

PAGE = 20_000
"""Events that are read at a time."""

BOOKS = 500
"""Books that are looked at together, when they have fewer events than a page."""

Columns = tuple[str, int, str, int, int, int, int]
COLUMNS = ("shelf_id", "version", "type", "on_hand_delta", "reserved_delta", "on_hand_after", "reserved_after")


@dataclass(slots=True)
class Replay:
    """What the events of one book, one after the other, lead to."""

    book_id: str
    snapshot: Stock
    view: Stock | None
    """As the read model knows it; None when it has no row."""
    newest: int
    """The version of the last event that there is."""
    stock: Stock = field(default_factory=Stock)
    fault: str = ""
    """Where the ledger first contradicts itself: nothing can be restored from it."""
    differences: list[str] = field(default_factory=list)
    """Where snapshot or read model say something else than the ledger."""

    def __post_init__(self) -> None:
        self._compare_view(0)

    def hear(self, version: int, happened: Happened, after: Stock) -> None:
        """The next event, and the stock that it says to have led to."""
        try:
            self.stock = self.stock.after(happened)
        except ValueError as error:
            self.fault = self.fault or f"event {version}: {error}"
        if self.stock != after:
            self.fault = self.fault or f"event {version} says {told(after)}, those up to it {told(self.stock)}"
            self.stock = after
        self._compare_view(version)

    def end(self) -> "Replay":
        """There are no more events."""
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

    def _compare(self, whose: str, stock: Stock) -> None:
        if stock != self.stock:
            self.differences.append(f"{whose} says {told(stock)}, the ledger {told(self.stock)}")


def told(stock: Stock) -> str:
    return f"{stock.on_hand} on hand and {stock.reserved} reserved after {stock.version} events"


def replayed(
    shelves: QuerySet[InventoryRecord], progress: Callable[[int], None] = lambda events: None
) -> Iterator[Replay]:
    """These books replayed, by their codes. A book that changes meanwhile is told as it was at one moment."""
    for batch in _batches(shelves):
        replays = {replay.book_id: replay for replay in batch}
        for book_id, version, kind, on_hand_delta, reserved_delta, on_hand, reserved in _events(batch):
            happened = Happened(EventType(kind), on_hand_delta, reserved_delta)
            replays[book_id].hear(version, happened, Stock(on_hand, reserved, version))
        for replay in batch:
            yield replay.end()
        progress(sum(replay.newest for replay in batch))


@durable
def restore(book_id: str) -> None:
    """Snapshot and read model become what the ledger says. Raises ValueError when that contradicts itself."""
    lock_stock([book_id])
    (replay,) = replayed(InventoryRecord.objects.filter(pk=book_id))
    if replay.fault:
        raise ValueError(replay.fault)
    stock = replay.stock
    numbers = {"on_hand": stock.on_hand, "reserved": stock.reserved, "version": stock.version}
    InventoryRecord.objects.filter(pk=book_id).update(**numbers)
    InventoryView.objects.filter(pk=book_id).update(**numbers, available=stock.available)


def _batches(shelves: QuerySet[InventoryRecord]) -> Iterator[list[Replay]]:
    """A few books at a time, with about a page of events together; each batch is read in one statement."""
    newest = StockEvent.objects.filter(shelf=OuterRef("pk")).order_by("-version").values("version")[:1]
    sizes = shelves.order_by("pk").values_list("pk", "version")
    for book_ids in _packed(sizes.iterator()):
        rows = InventoryRecord.objects.filter(pk__in=book_ids).annotate(
            newest=Coalesce(Subquery(newest), 0),
            view=F("book__view__version"),
            view_on_hand=F("book__view__on_hand"),
            view_reserved=F("book__view__reserved"),
        )
        yield [
            Replay(
                row.pk,
                row.stock,
                None if row.view is None else Stock(row.view_on_hand, row.view_reserved, row.view),
                row.newest,
            )
            for row in rows.order_by("pk")
        ]


def _packed(sizes: Iterable[tuple[str, int]]) -> Iterator[list[str]]:
    pack: list[str] = []
    events = 0
    for book_id, size in sizes:
        if pack and (events + size > PAGE or len(pack) == BOOKS):
            yield pack
            pack, events = [], 0
        pack.append(book_id)
        events += size
    if pack:
        yield pack


def _events(batch: list[Replay]) -> Iterator[Columns]:
    """The events of these books up to the newest that each was found with, a page at a time."""
    ledger = StockEvent.objects.order_by("shelf_id", "version").values_list(*COLUMNS)
    if len(batch) > 1:
        newest = {replay.book_id: replay.newest for replay in batch}
        rows = ledger.filter(shelf__in=newest)
        yield from (row for row in rows if row[1] <= newest[row[0]])
        return
    (only,) = batch
    for start in range(0, only.newest, PAGE):
        yield from ledger.filter(shelf=only.book_id, version__gt=start, version__lte=min(start + PAGE, only.newest))
