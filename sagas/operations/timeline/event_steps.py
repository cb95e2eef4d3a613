"""Which step an event belongs to, and which step a choreographed saga waits for. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sagas.choreography.reactions import REACTIONS
from sagas.events import EventType
from sagas.models import Direction, Event, EventReceipt
from sagas.orchestration.workflow import ORDER_WORKFLOW, Remote

Step = tuple[str, Direction]

STEPS: dict[str, Step] = {
    EventType.ORDER_CREATED: ("create_order", Direction.DO),
    EventType.STOCK_RESERVED: ("reserve_stock", Direction.DO),
    EventType.PAYMENT_COMPLETED: ("process_payment", Direction.DO),
    EventType.PAYMENT_FAILED: ("process_payment", Direction.DO),
    EventType.SHIPPING_ARRANGED: ("arrange_shipping", Direction.DO),
    EventType.SHIPPING_FAILED: ("arrange_shipping", Direction.DO),
    EventType.STOCK_CONFIRMED: ("complete_order", Direction.DO),
    EventType.ORDER_COMPLETED: ("complete_order", Direction.DO),
    EventType.SHIPPING_CANCELLED: ("arrange_shipping", Direction.UNDO),
    EventType.SHIPPING_RETURNED: ("arrange_shipping", Direction.UNDO),
    EventType.PAYMENT_REFUNDED: ("process_payment", Direction.UNDO),
    EventType.PAYMENT_CANCELLED: ("process_payment", Direction.UNDO),
    EventType.STOCK_RELEASED: ("reserve_stock", Direction.UNDO),
    EventType.ORDER_CANCELLED: ("create_order", Direction.UNDO),
    EventType.ORDER_RETURNED: ("create_order", Direction.UNDO),
}
"""The step whose outcome an event is. StockUnavailable is that of one of two steps."""

COMMANDS: dict[str, Step] = {
    step.command(direction): (step.name, direction)
    for step in ORDER_WORKFLOW
    if isinstance(step, Remote)
    for direction in (Direction.DO, Direction.UNDO)
}
"""The step to which a provider's command belongs."""

REFUSALS = {EventType.STOCK_UNAVAILABLE, EventType.PAYMENT_FAILED, EventType.SHIPPING_FAILED}
CALLED_OR_SKIPPED = {EventType.PAYMENT_REFUNDED, EventType.PAYMENT_CANCELLED, EventType.SHIPPING_CANCELLED}
"""Outcomes of a provider's call; without attempts there was nothing to call for."""

PARTICIPANTS = {"Stock": "inventory.", "Payment": "payments.", "Shipping": "shipping.", "Order": "orders."}
"""How the reactions begin whose participant publishes such events."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A provider's call that a reaction needs before it can process its event."""

    step: str
    direction: Direction
    reaction: str
    event: Event


def pending_call(events: Iterable[Event], receipts: Iterable[EventReceipt]) -> Pending | None:
    """Returns the call that a choreographed saga waits for, if it waits for one: it makes one call at a time."""
    processed = {(receipt.event_id, receipt.consumer) for receipt in receipts}
    for event in events:
        for reaction in () if event.delivered_at else REACTIONS.values():
            is_waiting = event.event_type in {each.event_type for each in reaction.events}
            if reaction.calls and is_waiting and (event.pk, reaction.name) not in processed:
                return Pending(*COMMANDS[reaction.calls.command], reaction.name, event)
    return None


def step_of(event: Event, by_id: Mapping[UUID, Event]) -> Step | None:
    """Returns the step to which an event belongs, if any."""
    if event.event_type == EventType.ATTEMPT_FAILED:
        return COMMANDS.get(event.payload.get("command", ""))
    if event.event_type == EventType.STOCK_UNAVAILABLE:
        cause = by_id.get(event.causation_id) if event.causation_id else None
        is_late = cause is not None and cause.event_type == EventType.SHIPPING_ARRANGED
        return ("complete_order" if is_late else "reserve_stock"), Direction.DO
    return STEPS.get(event.event_type)


def participant_of(event: Event) -> str:
    """Returns how the reactions begin whose participant publishes such events."""
    for prefix, participant in PARTICIPANTS.items():
        if event.event_type.startswith(prefix):
            return participant
    return ""
