"""The status of a saga, the same for both styles."""

from typing import Any
from uuid import UUID

from cloudmart.kernel.viewers import sees_everything
from orders.selectors import find_order
from sagas.choreography.signals import EVENTS
from sagas.desk.disclosure import error_for_customers, for_customers
from sagas.engine import causes
from sagas.events import events_of
from sagas.models import Event, SagaInstance, SagaStepLog, State
from sagas.selectors import find_saga


def saga_status(order_id: UUID, viewer: Any) -> dict[str, Any]:
    """Returns the saga with its history of states, its steps and its events; and its commands, for operators.

    Raises OrderNotFound, also if the viewer may not see the order, and SagaNotFound.
    """
    find_order(order_id, viewer)
    saga = find_saga(order_id)
    steps = steps_visible_to(viewer, saga)
    events = events_visible_to(viewer, order_id)
    actions = list(saga.actions.all()) if sees_everything(viewer) else []
    history = history_of(saga, steps, events)
    attention = attention_visible_to(viewer, saga)
    return {
        "saga": saga,
        "attention": attention,
        "history": history,
        "steps": steps,
        "events": events,
        "actions": actions,
    }


def attention_visible_to(viewer: Any, saga: SagaInstance) -> str | None:
    """Returns why an operator must look at the saga, or why one has abandoned it.

    Customers read an operator's reason as it is. What else has happened they read in words of their own.
    """
    if saga.attention is None or saga.abandoned_at or sees_everything(viewer):
        return saga.attention
    return causes.for_customers(saga.attention_code)


def steps_visible_to(viewer: Any, saga: SagaInstance) -> list[SagaStepLog]:
    """Returns the saga's steps in their order. Only operators read how the shop failed to reach a provider."""
    steps = list(saga.log.all())
    if not sees_everything(viewer):
        for step in steps:
            step.error = error_for_customers(step.error, step.detail)
    return steps


def events_visible_to(viewer: Any, order_id: UUID) -> list[Event]:
    """Returns the events of an order in their order. Only operators see who did what, and how calls have failed."""
    events = events_of(order_id)
    if not sees_everything(viewer):
        for event in events:
            event.payload = for_customers(event.payload)
    return events


def history_of(saga: SagaInstance, steps: list[SagaStepLog], events: list[Event]) -> list[str]:
    """Returns the states that the saga has reached, in order."""
    reached: list[str | None] = [step.state for step in steps]
    reached += [EVENTS[event.event_type].reaches for event in events]
    history = [str(State.STARTED)]
    for state in [*reached, saga.status]:
        if state and state in SagaInstance.MOVES.get(history[-1], ()):
            history.append(str(state))
    return history
