"""The bus: it tells recorded facts to their receivers, in the order of each order's life.

A fact is recorded in the transaction of the change that it tells of. Every receiver hears it in a transaction of its
own, together with its receipt, so that hearing it again does nothing. A receiver's error stops the telling of this
order, and of no other; what is not delivered is told again by the next `deliver`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from cloudmart.kernel.facts import OrderFacts
from cloudmart.kernel.remote import Answer, RemoteOperation, ask
from cloudmart.kernel.transactions import durable
from sagas.choreography.signals import FACTS, FAILURES, Fact
from sagas.choreography.story import Story
from sagas.metrics import count_answer, count_reaction
from sagas.models import Direction, Event, EventReceipt, StepStatus

Condition = Callable[[Story], bool]


class AnswerAwaited(Exception):
    """A provider gave no sure answer; the fact that asked for it stays undelivered, and is told again later."""


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

    def __call__(self, sender: Any, event: Event, **kwargs: Any) -> None:
        """Raises AnswerAwaited."""
        if self.asking is None:
            self._hear(event)
        elif asked := self._begin(self.asking, event):
            order, intent = asked
            answer = ask(self.asking, order, intent)
            if not self.asking.is_settled_by(answer.outcome):
                count_answer(order.saga_style, self.consumer, self.direction, answer)
                raise AnswerAwaited(f"{self.consumer}: {answer.outcome}")
            self._settle(self.asking, event, intent, answer)

    @durable
    def _hear(self, event: Event) -> None:
        began = timezone.now()
        story = Story.heard_by(self.consumer, event)
        if story.is_old_news:
            return
        if self.only_if(story):
            self.reaction(story)
            self._count(story, story.outcome, began)
        self._sign(story, event)

    @durable
    def _begin(self, operation: RemoteOperation, event: Event) -> tuple[OrderFacts, Any] | None:
        began = timezone.now()
        story = Story.heard_by(self.consumer, event)
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
    def _settle(self, operation: RemoteOperation, event: Event, intent: Any, answer: Answer) -> None:
        story = Story.heard_by(self.consumer, event)
        if story.is_old_news:
            return
        operation.settle(story.order, intent, answer.outcome)
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


def reacts_to(
    *facts: Fact, asking: RemoteOperation | None = None, only_if: Condition = always
) -> Callable[[Callable[..., None]], Receiver]:
    """Connect a reaction to facts. Where `only_if` says no, the fact is heard, and nothing done."""

    def connect(reaction: Callable[..., None]) -> Receiver:
        participant = reaction.__module__.rpartition(".")[2]
        receiver = Receiver(f"{participant}.{reaction.__name__}", facts, reaction, only_if, asking)
        for fact in facts:
            fact.connect(receiver, weak=False, dispatch_uid=receiver.consumer)
        return receiver

    return connect


def deliver(order_id: UUID) -> None:
    """Tell the order's facts that not everybody has heard, in their order, and those that come of it.

    One process at a time does this for an order. Raises what a receiver raises; the facts before are delivered.
    """
    undelivered = Event.objects.filter(aggregate_id=order_id, delivered_at=None).order_by("seq")
    last = 0
    try:
        while facts := list(undelivered.filter(seq__gt=last)):
            for event in facts:
                FACTS[event.event_type].send(sender=Event, event=event)
                last = event.seq
    finally:
        undelivered.filter(seq__lte=last).update(delivered_at=timezone.now())
