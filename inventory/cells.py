"""How the admin shows what happens to stock: its events, its reservations, and its levels."""

from typing import Any

from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from cloudmart.pages.cells import Badge, badge_in, column
from inventory.models import Book, Status
from inventory.stock import EventType, Stock

EVENTS = {
    EventType.STOCK_ADDED: Badge("good", _("added")),
    EventType.STOCK_RESERVED: Badge("wait", _("reserved")),
    EventType.RESERVATION_CONFIRMED: Badge("busy", _("sold")),
    EventType.RESERVATION_CANCELLED: Badge("mute", _("released")),
    EventType.RESERVATION_EXPIRED: Badge("mute", _("expired")),
    EventType.STOCK_RETURNED: Badge("good", _("returned")),
    EventType.STOCK_ADJUSTED: Badge("bad", _("adjusted")),
}
RESERVATIONS = {
    Status.ACTIVE: Badge("wait", _("active")),
    Status.CONFIRMED: Badge("good", _("sold")),
    Status.RELEASED: Badge("mute", _("released")),
    Status.EXPIRED: Badge("mute", _("expired")),
}
OUT_OF_STOCK, LOW_STOCK = Badge("bad", _("out of stock")), Badge("wait", _("low"))
FOR_SALE, ARCHIVED = Badge("good", _("for sale")), Badge("mute", _("archived"))

what = badge_in("type", _("what"), EVENTS)
reservation_status = badge_in("status", _("status"), RESERVATIONS)


def with_change(after: int, delta: int) -> str:
    """Returns a number of copies and how it came about: `8 (+3)`."""
    return f"{after:,} ({delta:+,})" if delta else f"{after:,}"


on_hand = column(_("on hand"), lambda event: with_change(event.on_hand_after, event.on_hand_delta), "on_hand")
reserved = column(_("reserved"), lambda event: with_change(event.reserved_after, event.reserved_delta), "reserved")


def badge_of(book: Book, stock: Stock) -> Badge:
    """Returns whether the book is sold, and whether its stock is low."""
    if book.archived:
        return ARCHIVED
    if not stock.available:
        return OUT_OF_STOCK
    return LOW_STOCK if stock.is_low(book.low_stock_threshold) else FOR_SALE


age = column(
    _("age"),
    lambda reservation: reservation.status == Status.ACTIVE and timesince(reservation.held_since),
    "age",
)
"""For how long an active reservation has held its copies."""

state = column(
    _("state"),
    lambda book: hasattr(book, "view") and str(badge_of(book, book.view.stock)),
    "state",
)


def level(name: str, description: Any) -> Any:
    """Returns a column of books with a number of copies from the read model, which may lag."""
    return column(description, lambda book: f"{getattr(book.view, name):,}" if hasattr(book, "view") else "", name)
