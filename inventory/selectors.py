"""What the stock room can tell. Reads take no lock and promise nothing: only a reservation does."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from cloudmart.database.clock import READ_AT, DatabaseNow
from inventory.errors import OutOfStock, UnknownBook
from inventory.models import InventoryRecord, InventoryView, Reservation, Status, StockEvent
from inventory.projector import catch_up
from inventory.stock import Stock

MOST_DRAWN = 300
"""Events that a chart shows, about."""

NUMBERS = ("title", "price", "total_quantity", "reserved_quantity", "available_quantity")
"""What is told of a book."""


def find_books(book_ids: Iterable[str]) -> dict[str, InventoryRecord]:
    """Stock and book (title, price) by code, with the time, in one query. Raises UnknownBook with those unknown."""
    wanted = set(book_ids)
    rows = InventoryRecord.objects.select_related("book").filter(pk__in=wanted)
    found = {row.pk: row for row in rows.annotate(**READ_AT)}
    if missing := sorted(wanted - found.keys()):
        raise UnknownBook(book_ids=missing)
    return found


def check_availability(books: dict[str, InventoryRecord], wanted: dict[str, int]) -> None:
    """Whether a reservation now would succeed, without making it. Raises OutOfStock with every shortage.

    A hold that the clock has passed no longer counts: a reservation would sweep it.
    """
    available = {book_id: books[book_id].stock.available for book_id in wanted}
    if any(copies > available[book_id] for book_id, copies in wanted.items()):
        for book_id, copies in expired_copies(wanted).items():
            available[book_id] += copies
    if shortages := [
        {"book_id": book_id, "requested": copies, "available": available[book_id]}
        for book_id, copies in wanted.items()
        if copies > available[book_id]
    ]:
        raise OutOfStock(shortages=shortages)


def expired_copies(book_ids: Iterable[str]) -> dict[str, int]:
    """Copies of each book in holds that the clock has passed and nobody has given back yet."""
    lapsed = Q(shelf__in=list(book_ids), status=Status.ACTIVE, expires_at__lte=DatabaseNow())
    return dict(Reservation.objects.filter(lapsed).values_list("shelf_id").annotate(Sum("quantity")))


def books_listed() -> QuerySet[InventoryView]:
    """Every book as the read model knows it. It may lag, and a hold counts until it is given back."""
    return InventoryView.objects.annotate(
        title=F("book__title"),
        price=F("book__price"),
        total_quantity=F("on_hand"),
        reserved_quantity=F("reserved"),
        available_quantity=F("available"),
    )


def books_now(book_ids: Iterable[str] | None = None) -> QuerySet[InventoryView]:
    """These books, or all, up to the moment: holds that the clock has passed do not count, as a reservation finds it.

    Raises UnknownBook.
    """
    wanted = None if book_ids is None else set(find_books(book_ids))
    catch_up(wanted)
    lapsed = Subquery(
        Reservation.objects.filter(shelf=OuterRef("pk"), status=Status.ACTIVE, expires_at__lte=DatabaseNow())
        .order_by()
        .values("shelf")
        .values_list(Sum("quantity"))
    )
    held = F("reserved") - Coalesce(lapsed, 0)
    books = InventoryView.objects.all() if wanted is None else InventoryView.objects.filter(pk__in=wanted)
    return books.annotate(
        title=F("book__title"),
        price=F("book__price"),
        total_quantity=F("on_hand"),
        reserved_quantity=held,
        available_quantity=F("on_hand") - held,
    )


def live_reservations(book_id: str) -> QuerySet[Reservation]:
    return Reservation.objects.filter(shelf=book_id, status=Status.ACTIVE, expires_at__gt=DatabaseNow()).order_by(
        "expires_at"
    )


def live_holds(order_ids: Iterable[UUID]) -> dict[tuple[UUID, str], Reservation]:
    """What is held now for these orders, by order and book."""
    live = Reservation.objects.filter(order_id__in=list(order_ids), status=Status.ACTIVE, expires_at__gt=DatabaseNow())
    return {(hold.order_id, hold.book_id): hold for hold in live}


def held_now() -> tuple[int, int]:
    """Live reservations of all books together, and the copies in them."""
    live = Reservation.objects.filter(status=Status.ACTIVE, expires_at__gt=DatabaseNow())
    held = live.aggregate(reservations=Count("pk"), copies=Sum("quantity", default=0))
    return held["reservations"], held["copies"]


def holds_of(order_id: UUID) -> dict[str, Any]:
    """Everything that was ever held for an order, as it stands now."""
    return {
        "order_id": order_id,
        "reservations": list(Reservation.objects.filter(order_id=order_id).order_by("shelf")),
    }


def events_of(book_id: str) -> QuerySet[StockEvent]:
    """All that ever happened to a book's stock. Raises UnknownBook."""
    find_books([book_id])
    return StockEvent.objects.filter(shelf=book_id)


def sample_of(book_id: str, version: int) -> list[StockEvent]:
    """The first and the last of a book's events up to this version, and others evenly between, oldest first."""
    step = max(1, -(-version // MOST_DRAWN))
    versions = {1, *range(version, 0, -step)}
    return list(StockEvent.objects.filter(shelf=book_id, version__in=versions).order_by("version"))


def inventory_at(book_id: str, moment: datetime) -> dict[str, Any]:
    """A book's stock as it was then: after the last event up to that moment, found by one seek. Raises UnknownBook.

    What was held counts as held until the ledger says that it was given back, also if the clock had passed it. The
    seek is for the time alone: asked for the last event itself, MariaDB walks there from the newest.
    """
    record = find_books([book_id])[book_id]
    history = StockEvent.objects.filter(shelf=book_id)
    then = history.filter(happened_at__lte=moment).aggregate(then=Max("happened_at"))["then"]
    last = history.filter(happened_at=then).order_by("-version").first() if then else None
    stock = last.stock_after if last else Stock()
    return {
        "book_id": book_id,
        "title": record.book.title,
        "total_quantity": stock.on_hand,
        "reserved_quantity": stock.reserved,
        "available_quantity": stock.available,
        "as_of": moment,
        "version": stock.version,
    }


def inventory_of(book_id: str) -> dict[str, Any]:
    """A book's stock and its live reservations. Raises UnknownBook."""
    told = books_now([book_id]).values(*NUMBERS).get()
    return {"book_id": book_id, **told, "reservations": list(live_reservations(book_id))}
