"""The choreographed style: delivers an order's events to the reactions, which publish the next ones."""

import logging
from collections.abc import Callable
from functools import partial
from typing import cast
from uuid import UUID

from django.db import Error, transaction

from cloudmart.database.errors import remedy_for
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DatabaseBusy, DomainError
from cloudmart.providers.calling import ProviderResponse
from orders import services as orders
from orders.errors import OrderCancelled
from sagas.choreography.history import History
from sagas.choreography.reactions import REACTIONS
from sagas.choreography.signals import (
    EVENTS,
    order_cancel_requested,
    order_confirmed,
    order_created,
    order_return_requested,
    order_timed_out,
)
from sagas.engine.metrics import count_call
from sagas.engine.style import Call, First, OnFinished, Settled, failed_attempts
from sagas.errors import LeaseLost, SagaStuck, SagaTimedOut
from sagas.events import EventType, record
from sagas.models import RETURNED, Event, EventReceipt, SagaInstance

logger = logging.getLogger(__name__)

Act = Callable[[History], Call | None]
"""Something that a transaction does with the history."""


class Choreography:
    """Delivers the events of one saga. Implements the engine's Style.

    A transaction delivers every event to every reaction, until one needs a provider. If a reaction raises an
    unforeseen error in `advance`, the transaction rolls back, and each reaction gets a transaction of its own: the
    failing one holds up only itself.
    """

    def __init__(self, saga: SagaInstance, on_finished: OnFinished) -> None:
        self._saga, self._on_finished = saga, on_finished
        self._order = saga.order
        self._history: History | None = None

    @durable
    def open(self, first: First) -> Call | None:
        first()
        history = History.new(self._saga, self._order)
        if self._order.was_draft:
            history.publish(order_confirmed, actor=self._order.placed_by)
        orders.create_order(self._order)
        history.publish(order_created, actor=self._order.placed_by)
        call = deliver(history)
        self._save(history)
        return call

    def advance(self, settled: Settled | None = None) -> Call | None:
        acts = [partial(_settle, settled)] if settled else []
        try:
            return self._deliver(*acts, partial(_publish_trigger, is_resumed=settled is None), may_be_refused=True)
        except DomainError as refusal:
            logger.info("not compensated: %s", refusal)
            return self._deliver(*acts)

    def compensate(self, reason: DomainError, actor: str) -> Call | None:
        def request(history: History) -> None:
            history.reopen(actor)
            trigger = order_return_requested if reason.code == RETURNED else order_cancel_requested
            history.publish(trigger, reason, actor=actor)

        return self._act(request, deliver)

    def record_unsettled(self, call: Call, response: ProviderResponse) -> None:
        for failure in failed_attempts(call, response, str(response.outcome)):
            record(self._order.order_id, EventType.ATTEMPT_FAILED, failure)
        transaction.on_commit(partial(count_call, self._order.saga_style, call, response))

    def _deliver(self, *acts: Act, may_be_refused: bool = False) -> Call | None:
        """Acts, and delivers all undelivered events, in one transaction; or else each reaction in one of its own.

        If `may_be_refused`, raises the DomainError of a reaction, having written nothing.
        """
        try:
            call = self._act(*acts, deliver)
        except Exception as error:
            if not _concerns_a_reaction(error) or (may_be_refused and isinstance(error, DomainError)):
                raise
            logger.warning("a reaction failed; delivering one by one", exc_info=error)
            self._history = None  # an event may have been recorded meanwhile
            for act in acts:
                self._act(act)
            call = self._deliver_one_by_one()
        if call is None and not self._saga.is_finished:
            raise SagaStuck(str(self._saga.pk))
        return call

    def _deliver_one_by_one(self) -> Call | None:
        """Raises the first error, once every other reaction has processed its events."""
        failed: dict[tuple[UUID, str], Exception] = {}
        while waiting := [pair for pair in self._unprocessed() if pair not in failed]:
            for event_id, name in waiting:
                try:
                    if call := self._act(partial(_react, event_id=event_id, name=name)):
                        return call
                except Exception as error:
                    if not _concerns_a_reaction(error):
                        raise
                    failed[event_id, name] = error
        if failed:
            raise next(iter(failed.values()))
        return None

    @durable
    def _act(self, *acts: Act) -> Call | None:
        """Acts on the order's history, and writes the result. Returns the call that the last act needs."""
        history = History.load(self._saga, self._order, self._history)
        call: Call | None = None
        for act in acts:
            call = act(history)
        self._save(history)
        return call

    def _save(self, history: History) -> None:
        history.save(self._on_finished)
        transaction.on_commit(lambda: setattr(self, "_history", history))

    def _unprocessed(self) -> list[tuple[UUID, str]]:
        """Returns the undelivered events with each reaction that has not processed them, in the order of delivery."""
        events = Event.objects.filter(aggregate_id=self._order.order_id, delivered_at=None).order_by("seq")
        processed = set(EventReceipt.objects.filter(event__in=events).values_list("event_id", "consumer"))
        pairs = [(event.pk, reaction.name) for event in events for reaction in EVENTS[event.event_type].reactions]
        return [pair for pair in pairs if pair not in processed]


def deliver(history: History) -> Call | None:
    """Delivers the undelivered events in order, and those published meanwhile, up to the first provider call."""
    for event in history.undelivered():
        for _, call in EVENTS[event.event_type].send(sender=Event, event=event, history=history):
            if call:
                return cast(Call, call)
    return None


def _settle(settled: Settled, history: History) -> None:
    REACTIONS[settled.call.name].settle(history, settled)
    history.settled = settled.details


def _react(history: History, event_id: UUID, name: str) -> Call | None:
    return REACTIONS[name](Event, history.find(event_id), history)


def _publish_trigger(history: History, *, is_resumed: bool) -> None:
    """Publishes that the order is to be undone, if a cancellation is requested, or if it is resumed too late."""
    saga = history.saga
    history.cause = None
    if saga.is_finished or history.is_failing:
        return
    if saga.cancel_reason is not None:
        cancelled = OrderCancelled(saga.cancel_reason, reason=saga.cancel_reason)
        history.publish(order_cancel_requested, cancelled, actor=saga.cancelled_by)
    elif is_resumed and saga.deadline_at and saga.deadline_at <= saga.read_at:
        history.publish(order_timed_out, SagaTimedOut())


def _concerns_a_reaction(error: Exception) -> bool:
    """Returns False for errors that concern the whole saga: a lost lease, or the database."""
    is_database = isinstance(error, DatabaseBusy) or (isinstance(error, Error) and remedy_for(error) is not None)
    return not is_database and not isinstance(error, LeaseLost)
