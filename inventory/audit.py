"""What is always true of the stock, whoever has changed it."""

from django.db.models import Case, Exists, F, Func, OuterRef, Q, Sum, When, Window
from django.db.models.functions import Coalesce, RowNumber

from cloudmart.database.invariants import Rows, invariant, total
from inventory.models import InventoryRecord, InventoryView, Reservation, Status, StockEvent
from inventory.stock import EventType

RECEIVED = {EventType.STOCK_ADDED, EventType.STOCK_ADJUSTED}

EMPTY = Q(version=0, on_hand=0, reserved=0)
"""A shelf to which nothing has happened."""


@invariant(InventoryRecord)
def shelf_adds_up(shelves: Rows) -> Rows:
    """What is on a shelf, and what was sold from it, is what was put there."""
    events = StockEvent.objects.filter(shelf=OuterRef("pk"), type__in=RECEIVED)
    accounted_for = F("on_hand") + copies_held(Status.CONFIRMED)
    return shelves.annotate(accounted_for=accounted_for).exclude(
        accounted_for=total(events, "on_hand_delta", per="shelf")
    )


@invariant(InventoryRecord)
def reserved_is_held(shelves: Rows) -> Rows:
    """What a shelf has reserved is the sum of its active holds."""
    return shelves.exclude(reserved=copies_held(Status.ACTIVE))


@invariant(StockEvent, named_by=("shelf_id", "version"))
def ledger_replays(events: Rows) -> Rows:
    """The events of a shelf are numbered without a gap, and replaying them up to any leads to its balances."""

    def so_far(change: Func) -> Window:
        return Window(change, partition_by="shelf", order_by="version")

    return events.annotate(
        number=so_far(RowNumber()), on_hand=so_far(Sum("on_hand_delta")), reserved=so_far(Sum("reserved_delta"))
    ).exclude(version=F("number"), on_hand_after=F("on_hand"), reserved_after=F("reserved"))


@invariant(InventoryRecord)
def shelf_is_its_replay(shelves: Rows) -> Rows:
    """A shelf stands where its last event has left it."""
    later = StockEvent.objects.filter(shelf=OuterRef("pk"), version__gt=OuterRef("version"))
    return shelves.filter(Exists(later) | ~(EMPTY | stands_in_the_ledger()))


@invariant(InventoryView)
def view_shows_the_past(views: Rows) -> Rows:
    """The read model shows each book's stock as it was after that event of which it knows last."""
    return views.exclude(EMPTY | stands_in_the_ledger(), on_hand=F("available") + F("reserved"))


@invariant(Reservation)
def holds_are_told(holds: Rows) -> Rows:
    """Every hold stands as the ledger tells: held while it is active, off the shelf once it is confirmed."""
    story = StockEvent.objects.filter(order_id=OuterRef("order_id"), reservation_id=OuterRef("pk"))
    held = total(story, "reserved_delta", per="reservation_id")
    sold = -total(story, "on_hand_delta", per="reservation_id")
    return holds.annotate(held=held, sold=sold).exclude(
        held=copies_if(Status.ACTIVE), sold=copies_if(Status.CONFIRMED)
    )


def stands_in_the_ledger() -> Exists:
    """Whether the outer row has the balances of its shelf after the event of its version."""
    after = Q(on_hand_after=OuterRef("on_hand"), reserved_after=OuterRef("reserved"))
    return Exists(StockEvent.objects.filter(after, shelf=OuterRef("pk"), version=OuterRef("version")))


def copies_held(status: Status) -> Coalesce:
    """The copies of the outer shelf in holds of this status."""
    return total(Reservation.objects.filter(shelf=OuterRef("pk")), copies_if(status), per="shelf")


def copies_if(status: Status) -> Case:
    """The copies of a hold that has this status; 0 of any other.

    To be summed, not filtered by: SQLite would go through all holds of a status for every order or shelf.
    """
    return Case(When(status=status, then=F("quantity")), default=0)


INVARIANTS = (
    shelf_adds_up,
    reserved_is_held,
    ledger_replays,
    shelf_is_its_replay,
    view_shows_the_past,
    holds_are_told,
)
