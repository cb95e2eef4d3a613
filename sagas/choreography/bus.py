"""The bus: it tells recorded facts to their receivers, in the order of each order's life.

A fact is recorded in the transaction of the change that it tells of. Every receiver hears it in a transaction of its
own, together with its receipt, so that hearing it again does nothing. A receiver's error stops the telling of this
order, and of no other; what is not delivered is told again by whoever drives the order next.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.providers.calling import ProviderResponse, call_provider, nothing
from cloudmart.providers.operation import RemoteOperation
from sagas.choreography.signals import FACTS, FAILURES, Fact
from sagas.choreography.story import Story
from sagas.engine.lease import prolong
from sagas.engine.metrics import count_answer, count_reaction
from sagas.models import Direction, Event, EventReceipt, StepStatus

Condition = Callable[[Story], bool]


class AnswerAwaited(Exception):
    """A provider gave no sure answer; the fact that asked for it stays undelivered, and is told again later."""


class LeavingFirst(Exception):
    """Whoever tells the facts leaves before it asks a provider; the fact that asks for it is told again by another."""


def always(story: Story) -> bool:
    return True


@dataclass(frozen=True, eq=False, slots=True)
class Receiver:
    """One participant's reaction to one or more facts, as it is connected to their signals.

    With `asking`, the reaction is told what the provider answered, or None when there was nothing to ask.
    """

    consumer: str
    facts: tuple[Fact, ...]
    reaction: Callable[..., None]
    only_if: Condition
    asking: RemoteOperation | None

    @property
    def direction(self) -> Direction:
        """Whoever reacts to a failure undoes."""
        return Direction.UNDO if any(fact in FAILURES for fact in self.facts) else Direction.DO

    def __call__(
        self, sender: Any, event: Event, fence: int | None = None, should_stop: ShouldStop = never, **kwargs: Any
    ) -> None:
        """Hear it from whoever has the lease with this fence. Raises AnswerAwaited, LeavingFirst and LeaseLost."""
        if self.asking is None:
            self._hear(event, fence)
        elif asked := self._begin(self.asking, event, fence):
            if should_stop():
                raise LeavingFirst
            order, intent = asked
            still_here = nothing if fence is None else partial(prolong, order.order_id, fence)
            answer = call_provider(self.asking, intent, before_retry=still_here)
            if not self.asking.is_settled_by(answer.outcome):
                count_answer(order.saga_style, self.consumer, self.direction, answer)
                raise AnswerAwaited(f"{self.consumer}: {answer.outcome}")
            self._settle(self.asking, event, fence, intent, answer)

    @durable
    def _hear(self, event: Event, fence: int | None) -> None:
        began = timezone.now()
        story = Story.heard_by(self.consumer, event, fence)
        if story.is_old_news:
            return
        if self.only_if(story):
            self.reaction(story)
            self._count(story, story.outcome, began)
        self._sign(story, event)

    @durable
    def _begin(self, operation: RemoteOperation, event: Event, fence: int | None) -> tuple[OrderSnapshot, Any] | None:
        began = timezone.now()
        story = Story.heard_by(self.consumer, event, fence)
        if story.is_old_news:
            return None
        if self.only_if(story):
            intent = operation.begin(story.order)
            if intent is not None:
                return story.order, intent
            self.reaction(story, None)
            self._count(story, StepStatus.SKIPPED, began)
        self._sign(story, event)
        return None

    @durable
    def _settle(
        self, operation: RemoteOperation, event: Event, fence: int | None, intent: Any, answer: ProviderResponse
    ) -> None:
        story = Story.heard_by(self.consumer, event, fence)
        if story.is_old_news:
            return
        operation.settle(intent, answer.outcome)
        self.reaction(story, answer)
        self._sign(story, event)
        transaction.on_commit(partial(count_answer, story.order.saga_style, self.consumer, self.direction, answer))

    def _count(self, story: Story, outcome: StepStatus, began: datetime) -> None:
        """Once this transaction has committed."""
        seconds = (timezone.now() - began).total_seconds()
        style = story.order.saga_style
        transaction.on_commit(partial(count_reaction, style, self.consumer, self.direction, outcome, seconds))

    def _sign(self, story: Story, event: Event) -> None:
        EventReceipt.objects.create(consumer=self.consumer, event=event)
        story.write()


RECEIVERS: list[Receiver] = []
"""Everybody who is connected to a fact."""


def reacts_to(
    *facts: Fact, asking: RemoteOperation | None = None, only_if: Condition = always
) -> Callable[[Callable[..., None]], Receiver]:
    """Connect a reaction to facts. Where `only_if` says no, the fact is heard, and nothing done."""

    def connect(reaction: Callable[..., None]) -> Receiver:
        participant = reaction.__module__.rpartition(".")[2]
        receiver = Receiver(f"{participant}.{reaction.__name__}", facts, reaction, only_if, asking)
        for fact in facts:
            fact.connect(receiver, weak=False, dispatch_uid=receiver.consumer)
        RECEIVERS.append(receiver)
        return receiver

    return connect


def tell(order_id: UUID, fence: int, after: int, should_stop: ShouldStop) -> Iterator[int]:
    """Tell the order's facts after that `seq` that not everybody has heard, in their order, and those that come of it.

    Yields the seq of each. Only for who has the lease with this fence; whoever is leaving asks no provider any more.
    Raises what a receiver raises.
    """
    while facts := list(untold(order_id, after)):
        for event in facts:
            FACTS[event.event_type].send(sender=Event, event=event, fence=fence, should_stop=should_stop)
            after = event.seq
            yield after


def untold(order_id: UUID, after: int) -> QuerySet[Event]:
    """The order's facts after that `seq` that not everybody has heard."""
    return Event.objects.filter(aggregate_id=order_id, delivered_at=None, seq__gt=after).order_by("seq")


def mark_told(order_id: UUID, last: int) -> None:
    """Everybody has heard the order's facts up to the `last`; whatever the clock says, not before they happened."""
    facts = Event.objects.filter(aggregate_id=order_id, delivered_at=None, seq__lte=last)
    facts.update(delivered_at=Greatest("timestamp", DatabaseNow()))
