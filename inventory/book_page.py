"""What the page of a book shows of its stock: the levels, a chart, the holds and the movements."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import F, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from cloudmart.api.filtering import MomentField
from cloudmart.database.clock import READ_AT
from cloudmart.pages.cells import order_link
from inventory.cells import EVENTS, Badge, badge_of, with_change
from inventory.charts import stock_chart
from inventory.models import InventoryRecord, Reservation, Status, StockEvent, StockMovement
from inventory.projector import record_events
from inventory.selectors import inventory_at, sample_of

MOVEMENTS_ON_A_PAGE = 50

MOST_HOLDS = 50
"""Reservations that the page lists; the list of reservations has them all."""


class MomentForm(forms.Form):
    """A moment, in the time zone of the shop unless it names another."""

    as_of = MomentField(
        required=False,
        label=_("Stock as of"),
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local", "step": "1"}),
    )

    @property
    def moment(self) -> datetime | None:
        """The moment that was chosen; None if none was, or if it is not a time."""
        with timezone.override(settings.SHOP_TIME_ZONE):
            return self.cleaned_data["as_of"] if self.is_valid() else None


class Hold(NamedTuple):
    """A row of the table of reservations. Of a past moment it is not known until when they were made."""

    order: Any
    copies: int
    since: datetime
    until: datetime | None = None
    is_past: bool = False


@dataclass(frozen=True, slots=True)
class Movement:
    """A row of the table of movements."""

    event: StockEvent

    @property
    def what(self) -> Badge:
        return EVENTS[self.event.type]  # type: ignore[index]

    @property
    def on_hand(self) -> str:
        return with_change(self.event.on_hand_after, self.event.on_hand_delta)

    @property
    def reserved(self) -> str:
        return with_change(self.event.reserved_after, self.event.reserved_delta)

    @property
    def order(self) -> Any:
        return order_link(self.event.order_id)

    @property
    def as_of(self) -> str:
        """The moment of the event, as the form takes it."""
        return self.event.happened_at.isoformat()


def stock_page(book_id: str, request: HttpRequest) -> dict[str, Any]:
    """Returns what the templates of the page show, at the moment that `as_of` names or now. Empty without such a book.

    The number of sold copies is from the read model, which may lag.
    """
    record_events([book_id])
    record = InventoryRecord.objects.filter(pk=book_id).select_related("book").annotate(**READ_AT).first()
    if record is None:
        return {}
    form = MomentForm({"as_of": request.GET.get("as_of", "")})
    moment = form.moment
    then = inventory_at(book_id, moment) if moment else None
    version = then["version"] if then else record.version
    holds = _holds_then(then) if then else _holds(record)
    drawn = sample_of(book_id, record.version)
    return {
        "record": record,
        "state": badge_of(record.book, record.stock),
        "form": form,
        "chosen": _local(moment) if moment else None,
        "as_of": moment.isoformat() if moment else None,
        "zone": settings.SHOP_TIME_ZONE.key,
        "levels": _levels(then, record),
        "threshold": None if then else record.low_stock_threshold,
        "sold": None if then else _sold(book_id),
        "chart": stock_chart(drawn, record.read_at, moment),
        "drawn": len(drawn) if len(drawn) < record.version else None,
        "holds": holds[:MOST_HOLDS],
        "has_more_holds": len(holds) > MOST_HOLDS,
        "movements": _movements(book_id, record.version, version, request.GET.get("page")),
        "version": version,
    }


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(settings.SHOP_TIME_ZONE):%Y-%m-%dT%H:%M:%S}"


def _levels(then: dict[str, Any] | None, record: InventoryRecord) -> list[tuple[Any, int]]:
    on_hand, reserved = (
        (then["total_quantity"], then["reserved_quantity"]) if then else (record.on_hand, record.reserved)
    )
    return [(_("On hand"), on_hand), (_("Reserved"), reserved), (_("Available"), on_hand - reserved)]


def _sold(book_id: str) -> int:
    """Copies that were sold and have not been returned."""
    sold = StockMovement.objects.filter(book=book_id).aggregate(copies=Sum(F("sold") - F("returned"), default=0))
    return int(sold["copies"])


def _holds(record: InventoryRecord) -> list[Hold]:
    """Returns the active reservations that expire first: one more than the page lists, if there are more."""
    active = Reservation.objects.filter(shelf=record, status=Status.ACTIVE).order_by("expires_at")
    return [
        Hold(
            order_link(each.order_id),
            each.quantity,
            each.held_since,
            each.expires_at,
            each.is_past_expiry(record.read_at),
        )
        for each in active[: MOST_HOLDS + 1]
    ]


def _holds_then(then: dict[str, Any]) -> list[Hold]:
    """Returns the oldest reservations of that moment: one more than the page lists, if there are more."""
    oldest = then["reservations"][: MOST_HOLDS + 1]
    return [Hold(order_link(each["order_id"]), each["quantity"], each["held_since"]) for each in oldest]


def _movements(book_id: str, newest: int, shown: int, page: str | None) -> dict[str, Any]:
    """Returns a page of the movements, newest first: the asked one, or the one with the version that is shown.

    Versions have no gap, so the number of a page says which they are.
    """
    paginator = Paginator(range(newest, 0, -1), MOVEMENTS_ON_A_PAGE)
    current = paginator.get_page(page or (newest - shown) // MOVEMENTS_ON_A_PAGE + 1)
    events = StockEvent.objects.filter(shelf=book_id, version__in=list(current.object_list)).order_by("-version")
    return {
        "rows": [Movement(event) for event in events],
        "page": current,
        "numbers": paginator.get_elided_page_range(current.number),
    }
