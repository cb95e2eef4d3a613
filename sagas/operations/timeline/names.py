"""What people call the steps of a saga, and what happens to an order besides."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from sagas.events import EventType
from sagas.models import Direction
from sagas.operations.timeline.bars import Bar, BarStatus, Mark

DO, UNDO = Direction.DO, Direction.UNDO

STEPS: dict[tuple[str, str], Any] = {
    ("create_order", DO): _("Create order"),
    ("reserve_stock", DO): _("Reserve stock"),
    ("process_payment", DO): _("Pay"),
    ("arrange_shipping", DO): _("Ship"),
    ("complete_order", DO): _("Complete order"),
    ("arrange_shipping", UNDO): _("Cancel parcel"),
    ("process_payment", UNDO): _("Refund"),
    ("reserve_stock", UNDO): _("Release stock"),
    ("create_order", UNDO): _("Cancel order"),
}

RETURNING: dict[str, Any] = {
    "arrange_shipping": _("Take parcel back"),
    "create_order": _("Return order"),
}
"""Steps that are undone in another way once the parcel has come back."""

EVENTS: dict[str, Any] = {
    EventType.ITEM_ADDED: _("Book added"),
    EventType.ITEM_REMOVED: _("Book removed"),
    EventType.ORDER_CONFIRMED: _("Order placed"),
    EventType.ORDER_SHIPPED: _("Parcel collected"),
    EventType.ORDER_DELIVERED: _("Parcel delivered"),
    EventType.ORDER_CANCEL_REQUESTED: _("Cancellation requested"),
    EventType.ORDER_RETURN_REQUESTED: _("Return requested"),
    EventType.ORDER_TIMED_OUT: _("Deadline passed"),
    EventType.ORDER_CANCELLED: _("Order cancelled"),
}

STATUSES: dict[str, Any] = {
    BarStatus.DONE: _("done"),
    BarStatus.FAILED: _("failed"),
    BarStatus.SKIPPED: _("nothing to do"),
    BarStatus.RUNNING: _("running"),
    BarStatus.WAITING: _("waiting"),
    BarStatus.ABANDONED: _("abandoned"),
    BarStatus.STOPPED: _("stopped, because the order is undone"),
}


def name_of(item: Bar | Mark) -> str:
    """Returns what the step or event is called; its own name if it is not known here."""
    if isinstance(item, Mark):
        return str(EVENTS.get(item.event_type, item.event_type))
    if item.is_return and item.step in RETURNING:
        return str(RETURNING[item.step])
    return step_name(item.step, item.direction)


def step_name(step: str, direction: str) -> str:
    return str(STEPS.get((step, direction), step))
