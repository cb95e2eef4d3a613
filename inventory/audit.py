"""The invariants of the stock."""

from django.db.models import Case, Count, Exists, F, Func, OuterRef, Q, Subquery, Sum, When, Window
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, RowNumber

from cloudmart.database.invariants import Rows, invariant, total
from inventory.models import (
    InventoryRecord,
    InventoryView,
    PendingEvent,
    Reservation,
    Status,
    StockEvent,
    StockMovement,
    SubShelf,
)
from inventory.stock import EventType

RECEIVED = {EventType.STOCK_ADDED, EventType.STOCK_ADJUSTED}

EMPTY = Q(version=0, on_hand=0, reserved=0)
"""Stock without any event."""


@invariant(InventoryRecord)
def shelf_adds_up(records: Rows) -> Rows:
    """A book's copies on hand and its sold copies together are the copies received."""
    events = StockEvent.objects.filter(shelf=OuterRef("pk"), type__in=RECEIVED)
    accounted_for = with_pending("on_hand") + copies_reserved(Status.CONFIRMED)
    return records.annotate(accounted_for=accounted_for).exclude(
        accounted_for=total(events, "on_hand_delta", per="shelf")
    )


@invariant(InventoryRecord)
def reserved_is_held(records: Rows) -> Rows:
    """A book's reserved copies are the sum of its active reservations."""
    return records.annotate(now=with_pending("reserved")).exclude(now=copies_reserved(Status.ACTIVE))


@invariant(InventoryRecord)
def sub_shelves_add_up(records: Rows) -> Rows:
    """A split book's copies are those of its sub-shelves; no other book has any."""
    shares = SubShelf.objects.filter(shelf=OuterRef("pk"))
    whole = records.annotate(
        number=Coalesce(Subquery(shares.order_by().values("shelf").annotate(Count("pk")).values("pk__count")), 0),
        now=with_pending("on_hand"),
        reserved_now=with_pending("reserved"),
    )
    adds_up = Q(now=total(shares, "on_hand", per="shelf"), reserved_now=total(shares, "reserved", per="shelf"))
    return whole.exclude(Q(shards=1, number=0) | Q(adds_up, shards__gt=1, number=F("shards")))


@invariant(StockEvent, named_by=("shelf_id", "version"))
def ledger_replays(events: Rows) -> Rows:
    """A book's events are numbered without a gap, and replaying them up to any event leads to its balances."""

    def so_far(change: Func) -> Window:
        return Window(change, partition_by="shelf", order_by="version")

    return events.annotate(
        number=so_far(RowNumber()), on_hand=so_far(Sum("on_hand_delta")), reserved=so_far(Sum("reserved_delta"))
    ).exclude(version=F("number"), on_hand_after=F("on_hand"), reserved_after=F("reserved"))


@invariant(InventoryRecord)
def stock_matches_ledger(records: Rows) -> Rows:
    """A book's stock has the balances of its last event."""
    later = StockEvent.objects.filter(shelf=OuterRef("pk"), version__gt=OuterRef("version"))
    return records.filter(Exists(later) | ~(EMPTY | is_in_ledger()))


@invariant(InventoryView)
def read_model_matches_ledger(views: Rows) -> Rows:
    """The read model has the balances of each book's event of the same version."""
    return views.exclude(EMPTY | is_in_ledger(), on_hand=F("available") + F("reserved"))


@invariant(InventoryView)
def movements_add_up(views: Rows) -> Rows:
    """The movements of a book, over all days, add up to its balances at the version of its `inventory_view`."""
    movements = StockMovement.objects.filter(book=OuterRef("pk"))
    on_hand = total(movements, F("added") + F("returned") + F("adjusted") - F("sold"), per="book")
    reserved = total(movements, F("reserved") - F("released") - F("expired") - F("sold"), per="book")
    last = StockEvent.objects.filter(shelf=OuterRef("pk"), version=OuterRef("version"))
    adds_up = Exists(last.filter(on_hand_after=OuterRef("moved_on_hand"), reserved_after=OuterRef("moved_reserved")))
    return views.annotate(moved_on_hand=on_hand, moved_reserved=reserved).exclude(
        adds_up | Q(version=0, moved_on_hand=0, moved_reserved=0)
    )


@invariant(Reservation)
def reservations_match_ledger(reservations: Rows) -> Rows:
    """Every reservation agrees with its events: reserved while it is active, sold once it is confirmed."""
    events = StockEvent.objects.filter(order_id=OuterRef("order_id"), reservation_id=OuterRef("pk"))
    pending = PendingEvent.objects.filter(order_id=OuterRef("order_id"), reservation_id=OuterRef("pk"))
    held = total(events, "reserved_delta", per="reservation_id") + total(
        pending, "reserved_delta", per="reservation_id"
    )
    sold = -total(events, "on_hand_delta", per="reservation_id") - total(
        pending, "on_hand_delta", per="reservation_id"
    )
    return reservations.annotate(held=held, sold=sold).exclude(
        held=copies_if(Status.ACTIVE), sold=copies_if(Status.CONFIRMED)
    )


def is_in_ledger() -> Exists:
    """True if the outer row has the balances of the book's event of the same version."""
    after = Q(on_hand_after=OuterRef("on_hand"), reserved_after=OuterRef("reserved"))
    return Exists(StockEvent.objects.filter(after, shelf=OuterRef("pk"), version=OuterRef("version")))


def with_pending(column: str) -> CombinedExpression:
    """The outer book's copies with the changes that are not yet in the ledger."""
    return F(column) + total(PendingEvent.objects.filter(shelf=OuterRef("pk")), f"{column}_delta", per="shelf")


def copies_reserved(status: Status) -> Coalesce:
    """The copies of the outer book in reservations of this status."""
    return total(Reservation.objects.filter(shelf=OuterRef("pk")), copies_if(status), per="shelf")


def copies_if(status: Status) -> Case:
    """The copies of a reservation with this status, or 0.

    It is summed instead of a filter: SQLite would scan all reservations of a status for every order or book.
    """
    return Case(When(status=status, then=F("quantity")), default=0)


INVARIANTS = (
    shelf_adds_up,
    reserved_is_held,
    sub_shelves_add_up,
    ledger_replays,
    stock_matches_ledger,
    read_model_matches_ledger,
    movements_add_up,
    reservations_match_ledger,
)
