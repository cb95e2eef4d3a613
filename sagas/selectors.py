"""What can be told of a saga, the same for both styles."""

from typing import Any
from uuid import UUID

from cloudmart.kernel.viewers import sees_everything
from orders.selectors import find_order
from sagas.choreography.signals import FACTS
from sagas.errors import SagaNotFound
from sagas.models import Event, SagaInstance, SagaStepLog, State


def find_saga(order_id: UUID) -> SagaInstance:
    """Raises SagaNotFound."""
    try:
        return SagaInstance.objects.get(order_id=order_id)
    except SagaInstance.DoesNotExist:
        raise SagaNotFound(order_id=str(order_id)) from None


def saga_status(order_id: UUID, viewer: Any) -> dict[str, Any]:
    """All of it: style, state, the states before, every step and every fact; and what operators had it do, for them.

    Raises OrderNotFound, also when the order is somebody else's, and SagaNotFound.
    """
    find_order(order_id, viewer)
    saga = find_saga(order_id)
    steps = list(saga.log.all())
    events = list(Event.objects.filter(aggregate_id=order_id).order_by("seq"))
    actions = list(saga.actions.all()) if sees_everything(viewer) else []
    history = history_of(saga, steps, events)
    return {"saga": saga, "history": history, "steps": steps, "events": events, "actions": actions}


def history_of(saga: SagaInstance, steps: list[SagaStepLog], events: list[Event]) -> list[str]:
    """The states that the saga has been in, in their order."""
    reached = [step.state for step in steps if step.state]
    reached += [fact.reaches for event in events if (fact := FACTS[event.event_type]).reaches]
    history = [str(State.STARTED)]
    for state in [*reached, saga.status]:
        is_new = state != history[-1] and history[-1] != State.FAILED
        if is_new and (history[-1] != State.COMPENSATION_STARTED or state == State.FAILED):
            history.append(str(state))
    return history
