"""Reads of the stock. They take no locks: only a reservation guarantees copies."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, F, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce

from cloudmart.database.clock import READ_AT, DatabaseNow
from cloudmart.database.prepared import Select
from cloudmart.kernel.order import Basket
from inventory.errors import BookArchived, OutOfStock
from inventory.holds import holds_after
from inventory.models import InventoryRecord, InventoryView, Reservation, StockEvent, SubShelf, by_code
from inventory.projector import catch_up, record_events
from inventory.stock import Stock, shortages_of

MOST_DRAWN = 300
"""The approximate number of events in a chart."""

FIRST_PAGE, LARGEST_PAGE = 100, 10_000
"""Events read at a time, to find the reservations of a past moment."""

NUMBERS = ("title", "price", "archived", "total_quantity", "reserved_quantity", "available_quantity")
"""The columns shown of a book."""

FIND_BOOKS = Select(
    lambda book_ids: InventoryRecord.objects.select_related("book").filter(pk__in=book_ids).annotate(**READ_AT)
)


def find_books(book_ids: Iterable[str]) -> dict[str, InventoryRecord]:
    """Stock and book (title, price) by code, with `read_at`, in one query. Raises UnknownBook."""
    return by_code(FIND_BOOKS, book_ids)


def find_for_sale(book_ids: Iterable[str]) -> dict[str, InventoryRecord]:
    """Returns what `find_books` returns. Raises UnknownBook, and BookArchived with every archived book."""
    books = find_books(book_ids)
    if archived := sorted(book_id for book_id, record in books.items() if record.book.archived):
        raise BookArchived(book_ids=archived)
    return books


def check_for_sale(order: Basket) -> None:
    """Raises UnknownBook, and BookArchived with the archived books of which the order has no reservation yet."""
    known = Reservation.objects.filter(order_id=order.order_id, shelf__in=order.quantities)
    find_for_sale(order.quantities.keys() - set(known.values_list("shelf_id", flat=True)))


def check_availability(books: dict[str, InventoryRecord], wanted: dict[str, int]) -> None:
    """Raises OutOfStock with every shortage that a reservation would have now.

    Reservations past their expiry do not count: a reservation would expire them.
    """
    available = {book_id: books[book_id].stock.available for book_id in wanted}
    if shortages_of(wanted, available):
        available |= _available_in_sub_shelves([book_id for book_id in wanted if books[book_id].shards > 1])
        for book_id, copies in expired_copies(wanted).items():
            available[book_id] += copies
    if shortages := shortages_of(wanted, available):
        raise OutOfStock(shortages=shortages)


def _available_in_sub_shelves(book_ids: list[str]) -> dict[str, int]:
    """The available copies of these split books, of which the rows of `inventory` may lag."""
    if not book_ids:
        return {}
    shares = SubShelf.objects.filter(shelf__in=book_ids).order_by().values_list("shelf_id")
    return dict(shares.annotate(available=Sum(F("on_hand") - F("reserved"))))


def expired_copies(book_ids: Iterable[str]) -> dict[str, int]:
    """Copies of each book in reservations past their expiry that are not yet returned to stock."""
    expired = Reservation.objects.past_expiry().filter(shelf__in=list(book_ids))
    return dict(expired.values_list("shelf_id").annotate(Sum("quantity")))


def books_listed() -> QuerySet[InventoryView]:
    """Every book in the read model, which may lag. Reservations count until their copies are returned to stock."""
    return _shown(InventoryView.objects.all(), F("reserved"), F("available"))


def books_now(book_ids: Iterable[str] | None = None) -> QuerySet[InventoryView]:
    """These books, or all, with the current stock. Reservations past their expiry do not count.

    Raises UnknownBook.
    """
    wanted = None if book_ids is None else set(find_books(book_ids))
    catch_up(wanted)
    expired = Subquery(
        Reservation.objects.past_expiry()
        .filter(shelf=OuterRef("pk"))
        .order_by()
        .values("shelf")
        .values_list(Sum("quantity"))
    )
    reserved = F("reserved") - Coalesce(expired, 0)
    books = InventoryView.objects.all() if wanted is None else InventoryView.objects.filter(pk__in=wanted)
    return _shown(books, reserved, F("on_hand") - reserved)


def find_sold_out() -> QuerySet[InventoryView]:
    """Returns the books without available copies in the read model, which may lag."""
    return InventoryView.objects.filter(available=0)


def find_low_stock() -> QuerySet[InventoryView]:
    """Returns the books with copies, at most as many as their thresholds, in the read model, which may lag.

    It reads those with at most as many copies as the highest threshold.
    """
    thresholds = InventoryRecord.objects.exclude(low_stock_threshold=None).order_by("-low_stock_threshold")
    highest = thresholds.values_list("low_stock_threshold", flat=True).first()
    few = InventoryView.objects.filter(available__range=(1, highest or 0))
    return few.filter(book__inventory__low_stock_threshold__gte=F("available"))


def _shown(books: QuerySet[InventoryView], reserved: Combinable, available: Combinable) -> QuerySet[InventoryView]:
    return books.annotate(
        title=F("book__title"),
        price=F("book__price"),
        archived=F("book__archived"),
        total_quantity=F("on_hand"),
        reserved_quantity=reserved,
        available_quantity=available,
    )


def live_reservations_of(order_ids: Iterable[UUID]) -> dict[UUID, dict[str, Reservation]]:
    """The live reservations of these orders, by order and book."""
    found: dict[UUID, dict[str, Reservation]] = defaultdict(dict)
    for reservation in Reservation.objects.live().filter(order_id__in=list(order_ids)):
        found[reservation.order_id][reservation.book_id] = reservation
    return found


def count_live_reservations() -> tuple[int, int]:
    """The number of all live reservations, and the copies in them."""
    live = Reservation.objects.live().aggregate(reservations=Count("pk"), copies=Sum("quantity", default=0))
    return live["reservations"], live["copies"]


def expiry_lag() -> timedelta:
    """Returns the time since the earliest expiry of a reservation not yet returned to stock; 0 if there is none."""
    lags = Reservation.objects.past_expiry().annotate(lag=DatabaseNow() - F("expires_at")).order_by("expires_at")
    return lags.values_list("lag", flat=True).first() or timedelta()


def reservations_of(order_id: UUID) -> dict[str, Any]:
    """All reservations of an order, in any status."""
    reservations = Reservation.objects.filter(order_id=order_id).order_by("shelf")
    return {"order_id": order_id, "reservations": list(reservations)}


def events_of(book_id: str) -> QuerySet[StockEvent]:
    """All events of a book's stock. Raises UnknownBook."""
    find_books([book_id])
    return StockEvent.objects.filter(shelf=book_id)


def sample_of(book_id: str, version: int) -> list[StockEvent]:
    """A book's first event, its event of this version, and evenly spaced events between them, oldest first."""
    step = max(1, -(-version // MOST_DRAWN))
    versions = {1, *range(version, 0, -step)}
    return list(StockEvent.objects.filter(shelf=book_id, version__in=versions).order_by("version"))


def inventory_at(book_id: str, moment: datetime) -> dict[str, Any]:
    """A book's stock and reservations after its last event up to `moment`. Raises UnknownBook.

    Reservations count until the ledger has returned their copies, also past their expiry. The first query seeks only
    the time: asked for the event itself, MariaDB scans from the newest event.
    """
    book = find_books([book_id])[book_id].book
    record_events([book_id])
    history = StockEvent.objects.filter(shelf=book_id)
    then = history.filter(happened_at__lte=moment).aggregate(then=Max("happened_at"))["then"]
    last = history.filter(happened_at=then).order_by("-version").first() if then else None
    stock = last.stock_after if last else Stock()
    return {
        "book_id": book_id,
        "title": book.title,
        "total_quantity": stock.on_hand,
        "reserved_quantity": stock.reserved,
        "available_quantity": stock.available,
        "as_of": moment,
        "version": stock.version,
        "reservations": _holds_at(book_id, stock.version, stock.reserved),
    }


def _holds_at(book_id: str, version: int, reserved: int) -> list[dict[str, Any]]:
    """The reservations that held `reserved` copies of the book after its event `version`, the oldest first."""
    held = {hold.version: hold.copies for hold in holds_after(_changes_back_from(book_id, version), reserved)}
    events = StockEvent.objects.filter(shelf=book_id, version__in=held).order_by("version")
    return [
        {
            "reservation_id": event.reservation_id,
            "order_id": event.order_id,
            "quantity": held[event.version],
            "held_since": event.happened_at,
        }
        for event in events
    ]


def _changes_back_from(book_id: str, version: int) -> Iterator[tuple[int, str, int]]:
    """Yields the changes of a book's reservations up to this version, newest first, read in ever larger pages.

    Each page is sorted here: asked for the newest first, MariaDB scans from the newest event of the book. The id of a
    reservation stays text, which is read in a tenth of the time.
    """
    changes = StockEvent.objects.filter(shelf=book_id).exclude(reserved_delta=0).order_by()
    columns = changes.values_list("version", Cast("reservation_id", CharField()), "reserved_delta")
    page = FIRST_PAGE
    while version > 0:
        yield from sorted(columns.filter(version__lte=version, version__gt=version - page), reverse=True)
        version, page = version - page, min(2 * page, LARGEST_PAGE)


def inventory_of(book_id: str) -> dict[str, Any]:
    """A book's stock and its live reservations. Raises UnknownBook."""
    books = books_now([book_id]).annotate(low_stock_threshold=F("book__inventory__low_stock_threshold"))
    stock = books.values(*NUMBERS, "low_stock_threshold").get()
    live = Reservation.objects.live().filter(shelf=book_id).order_by("expires_at")
    return {"book_id": book_id, **stock, "reservations": list(live)}
