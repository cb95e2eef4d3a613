"""What the page of an order shows, made of its history."""

from itertools import filterfalse
from operator import attrgetter
from typing import Any

from django.utils.translation import gettext as _

from cloudmart.kernel.order_numbers import shown
from inventory.models import Status as HoldStatus
from orders.admin import MAIL_BADGES
from orders.models import MailStatus
from sagas.admin.order_page.money import money_of
from sagas.admin.order_page.outcome import Holds, OrderState, Tries, outcome_of
from sagas.admin.order_page.raw import raw_json
from sagas.admin.order_page.records import History
from sagas.admin.order_page.settlement import settlement
from sagas.admin.order_page.stock import copies_of
from sagas.events import EventType
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.offers import offers
from sagas.operations.records import OrderRecords
from sagas.operations.standing import Standing, standing_of
from sagas.operations.timeline.bars import BarStatus, Timeline
from sagas.orchestration.events import REMOTE_STEPS
from shipping.admin import BADGES as PARCEL_BADGES
from shipping.models import Status as ParcelStatus

MENDS = {
    Standing.ATTENTION: DeskCommand.RETRY,
    Standing.WAITING: DeskCommand.RETRY,
    Standing.ABANDONED: DeskCommand.RESUME,
    Standing.FAILED: DeskCommand.ORDER_AGAIN,
    Standing.TIMED_OUT: DeskCommand.ORDER_AGAIN,
}
"""The command that an order in this standing most likely needs: its button comes first and stands out."""

REFRESH_SECONDS = 2
"""How often the page of an order that is moving reads itself again."""


is_enabled = attrgetter("is_enabled")


def page_of(history: History, user: Any) -> dict[str, Any]:
    """Returns the context of the template for this user."""
    records = history.records
    order, saga = records.order, records.saga
    timeline, offered = history.timeline, offers(records, user)
    standing = standing_of(order.status, saga, records.now)
    money = money_of(records.payment, history.refunds)
    copies = copies_of(history.changes, {item.book_id: item.title for item in order.lines})
    ordered = sum(item.quantity for item in order.lines)
    return {
        "title": _("Order %(number)s") % {"number": shown(order.pk)},
        "number": shown(order.pk),
        "history": history,
        "records": records,
        "order": order,
        "saga": saga,
        "placed_at": saga.order.placed_at if saga else order.created_at,
        "standing": standing,
        "outcome": outcome_of(_state(history, standing, timeline)),
        "timeline": timeline,
        "settlement": settlement(standing, order.total, ordered, money, copies),
        "possible": sorted(filter(is_enabled, offered), key=lambda offer: offer.command != MENDS.get(standing)),
        "mends": MENDS.get(standing),
        "not_possible": list(filterfalse(is_enabled, offered)),
        "money": money,
        "copies": copies,
        "parcel_badge": PARCEL_BADGES[ParcelStatus(records.parcel.status)] if records.parcel else None,
        "mails": [(mail, MAIL_BADGES[MailStatus(mail.status)]) for mail in records.mails],
        "minus_discount": -order.discount,
        "raw": raw_json(history),
        "refresh_seconds": REFRESH_SECONDS if standing.is_moving else None,
    }


def _state(history: History, standing: Standing, timeline: Timeline) -> OrderState:
    records = history.records
    return OrderState(
        order=records.order,
        standing=standing,
        now=records.now,
        saga=records.saga,
        tries=_tries(timeline),
        attempt=timeline.in_flight.attempt if timeline.in_flight else None,
        parcel_status=records.parcel.status if records.parcel else "",
        holds=_holds(records),
        cancelled_by=_canceller_of_draft(history),
        last_command=history.actions.rows[-1] if history.actions else None,
    )


def _tries(timeline: Timeline) -> Tries | None:
    """Returns the attempts at the call that a provider refused, or did not answer."""
    refused = (bar for bar in timeline.done if bar.status == BarStatus.FAILED and bar.step in REMOTE_STEPS)
    return next((Tries(len(bar.attempts), bar.duration) for bar in refused), None)


def _holds(records: OrderRecords) -> Holds:
    ends = [each.expires_at for each in records.reservations if each.status in {HoldStatus.ACTIVE, HoldStatus.EXPIRED}]
    return Holds(min(ends), are_expired=min(ends) <= records.now) if ends else Holds()


def _canceller_of_draft(history: History) -> str:
    cancelled = (each for each in history.events if each.event_type == EventType.ORDER_CANCELLED)
    return next((each.payload.get("actor") or "" for each in cancelled), "")
