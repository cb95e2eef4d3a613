"""The step log of an orchestrated saga, as the events that a choreographed one would have recorded. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sagas.events import PAYLOAD_VERSION, EventType, attempt_data, order_data
from sagas.models import Direction, Event, SagaInstance, SagaStepLog, StepStatus
from sagas.orchestration.execution import CANCELLATION, DEADLINE, RETURN
from sagas.orchestration.workflow import ORDER_WORKFLOW, RETURN_WORKFLOW, Remote

EventData = tuple[EventType, dict[str, Any]]
"""The type of an event, and its data."""


@dataclass(frozen=True, slots=True)
class StepEvents:
    """What happens when a step is done, is refused, or is undone."""

    done: tuple[EventType, ...] = ()
    refused: EventType | None = None
    undone: EventType | None = None


EVENTS_OF_STEP = {
    "create_order": StepEvents((EventType.ORDER_CREATED,), None, EventType.ORDER_CANCELLED),
    "reserve_stock": StepEvents((EventType.STOCK_RESERVED,), EventType.STOCK_UNAVAILABLE, EventType.STOCK_RELEASED),
    "process_payment": StepEvents(
        (EventType.PAYMENT_COMPLETED,), EventType.PAYMENT_FAILED, EventType.PAYMENT_REFUNDED
    ),
    "arrange_shipping": StepEvents(
        (EventType.SHIPPING_ARRANGED,), EventType.SHIPPING_FAILED, EventType.SHIPPING_CANCELLED
    ),
    "complete_order": StepEvents((EventType.STOCK_CONFIRMED, EventType.ORDER_COMPLETED), EventType.STOCK_UNAVAILABLE),
    CANCELLATION: StepEvents((EventType.ORDER_CANCEL_REQUESTED,)),
    RETURN: StepEvents((EventType.ORDER_RETURN_REQUESTED,)),
    DEADLINE: StepEvents(refused=EventType.ORDER_TIMED_OUT),
}
EVENTS_OF_RETURN = {
    **EVENTS_OF_STEP,
    "create_order": replace(EVENTS_OF_STEP["create_order"], undone=EventType.ORDER_RETURNED),
    "arrange_shipping": replace(EVENTS_OF_STEP["arrange_shipping"], undone=EventType.SHIPPING_RETURNED),
}
REMOTE_STEPS = {step.name: step for step in ORDER_WORKFLOW if isinstance(step, Remote)}
REMOTE_UNDOS_OF_RETURN = {step.name for step in RETURN_WORKFLOW if isinstance(step, Remote)}


def events_in(saga: SagaInstance, log: Iterable[SagaStepLog]) -> list[Event]:
    """Returns what has happened to the saga's order according to its log. The events are numbered, and not stored."""
    data = {"version": PAYLOAD_VERSION, **order_data(saga.payload)}
    events: list[Event] = []
    for line in log:
        for event_type, details in _events_of(saga, line, events):
            if event_type == EventType.PAYMENT_REFUNDED and not _has_happened(events, EventType.PAYMENT_COMPLETED):
                event_type = EventType.PAYMENT_CANCELLED
            event = Event(
                event_type=event_type,
                aggregate_id=saga.order_id,
                seq=len(events) + 1,
                payload={**data, **details},
                timestamp=line.finished or line.started,
            )
            events.append(event)
    return events


def _events_of(saga: SagaInstance, line: SagaStepLog, before: list[Event]) -> Iterator[EventData]:
    """Yields what a line says, with its data. An undo is skipped if the step was not done, or was undone directly."""
    names = (EVENTS_OF_RETURN if saga.is_returned else EVENTS_OF_STEP).get(line.step, StepEvents())
    details = _details_of(saga, line)
    if _is_failed_attempt(line):
        command = REMOTE_STEPS[line.step].command(Direction(line.direction))
        yield EventType.ATTEMPT_FAILED, attempt_data(command, line.attempt, line.error, line.finished or line.started)
    match line.status, line.direction:
        case StepStatus.DONE, Direction.DO:
            yield from ((event_type, details) for event_type in names.done)
        case StepStatus.DONE, Direction.UNDO if names.undone:
            yield names.undone, details
        case StepStatus.SKIPPED, Direction.UNDO if names.undone and _has_happened(before, *names.done):
            yield names.undone, details
        case StepStatus.FAILED, Direction.DO if names.refused and line.state:
            yield names.refused, details


def _is_failed_attempt(line: SagaStepLog) -> bool:
    """Returns True if the provider has not responded. A lookup may have found out later what it had done."""
    is_refusal = (
        line.status == StepStatus.FAILED and line.state and line.error == line.detail.get("detail", line.error)
    )
    return line.step in REMOTE_STEPS and bool(line.error) and not is_refusal


def _details_of(saga: SagaInstance, line: SagaStepLog) -> dict[str, Any]:
    """Returns what an event says beyond the data of its order."""
    details = {name: value for name, value in line.detail.items() if name != "command"}
    failure, is_undone = saga.failure or {}, line.direction == Direction.UNDO
    reason = {"reason": failure.get("detail", "")}
    if line.step == "create_order":
        end = {"code": failure.get("code"), **reason}
        return {**details, **(end if is_undone else {"actor": saga.payload.get("placed_by")})}
    if line.step == "reserve_stock" and is_undone:
        return {**details, **reason}
    if line.step in {CANCELLATION, RETURN}:
        return {**details, "actor": saga.cancelled_by}
    remote = REMOTE_UNDOS_OF_RETURN if saga.is_returned and is_undone else REMOTE_STEPS
    is_call = line.step in remote and line.status != StepStatus.SKIPPED
    return {**details, "attempts": line.attempt} if is_call else details


def _has_happened(events: list[Event], *event_types: EventType) -> bool:
    return any(event.event_type in event_types for event in events)
