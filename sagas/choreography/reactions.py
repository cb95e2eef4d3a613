"""How a participant reacts to events: it is connected to their signals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from cloudmart.kernel import tracing
from cloudmart.providers.operation import RemoteOperation
from sagas.choreography.history import History
from sagas.choreography.signals import FAILURES, OrderEvent, attempt_failed
from sagas.engine.metrics import count_call, count_reaction
from sagas.engine.style import Call, Settled, failed_attempts
from sagas.models import Direction, Event, StepStatus

Condition = Callable[[History], bool]


@dataclass(frozen=True, eq=False, slots=True)
class Reaction:
    """A participant's reaction to one or more events: local, or with a provider's operation that it `calls` first.

    A remote reaction is given the settled call; None if there was nothing to call for.
    """

    name: str
    events: tuple[OrderEvent, ...]
    react: Callable[..., None]
    only_if: Condition
    calls: RemoteOperation[Any, Any] | None

    @property
    def rank(self) -> tuple[bool, str]:
        """Sorts the reactions to an event."""
        return self.calls is not None, self.name

    @property
    def direction(self) -> Direction:
        return Direction.UNDO if {*self.events} & {*FAILURES} else Direction.DO

    def __call__(self, sender: Any, event: Event, history: History, **kwargs: Any) -> Call | None:
        """Processes the event unless it has been processed. Returns the provider call that is needed first, if any."""
        if history.is_processed(event, self.name):
            return None
        with tracing.span(self.name, {"cloudmart.event": event.event_type}):
            if self.only_if(history):
                if self.calls and (intent := self.calls.begin(history.order)):
                    return Call(self.name, self.calls, intent, self.direction, event.pk)
                began, published_before = timezone.now(), len(history.published)
                history.cause = event.pk
                self.react(history, *([None] if self.calls else []))
                self._count(history, published_before, began)
            history.mark_processed(event, self.name)
        return None

    def settle(self, history: History, settled: Settled) -> None:
        """Processes the event with the response of the provider call that it needed."""
        call, response = settled.call, settled.response
        event = history.find(call.event_id)
        if history.is_processed(event, self.name):
            return
        with tracing.span(f"settle {self.name}", {"cloudmart.event": event.event_type}):
            call.operation.settle(call.intent, response.outcome)
            history.cause = event.pk
            for failure in failed_attempts(call, response):
                history.publish(attempt_failed, **failure)
            self.react(history, settled)
            history.mark_processed(event, self.name)
        transaction.on_commit(partial(count_call, history.order.saga_style, call, response))

    def _count(self, history: History, published_before: int, began: datetime) -> None:
        outcome = _outcome_of(history.published[published_before:])
        seconds = (timezone.now() - began).total_seconds()
        style = history.order.saga_style
        transaction.on_commit(partial(count_reaction, style, self.name, self.direction, outcome, seconds))


REACTIONS: dict[str, Reaction] = {}
"""Every reaction, by name."""


def reacts_to(
    *events: OrderEvent, calls: RemoteOperation[Any, Any] | None = None, only_if: Condition = lambda history: True
) -> Callable[[Callable[..., None]], Reaction]:
    """Connects a reaction to events. If `only_if` returns False, the event counts as processed."""

    def connect(react: Callable[..., None]) -> Reaction:
        participant = react.__module__.rpartition(".")[2]
        reaction = Reaction(f"{participant}.{react.__name__}", events, react, only_if, calls)
        for event in events:
            if calls and any(other.calls for other in event.reactions):
                raise ImproperlyConfigured(f"Two reactions to {event} call a provider: delivery makes one call.")
            event.connect(reaction, weak=False, dispatch_uid=reaction.name)
        REACTIONS[reaction.name] = reaction
        return reaction

    return connect


def _outcome_of(published: list[Event]) -> StepStatus:
    """Returns how a reaction counts: failed if it published a failure, skipped if it published nothing."""
    if not published:
        return StepStatus.SKIPPED
    failures = {event.event_type for event in FAILURES}
    return StepStatus.FAILED if failures & {event.event_type for event in published} else StepStatus.DONE
