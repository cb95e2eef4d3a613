"""Where a choreographed order begins, and where its cancellation is wished: a fact is announced, and told."""

import logging
from contextlib import suppress
from uuid import UUID

from django.db import transaction

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.kernel.stopping import ShouldStop, never
from orders import services as orders
from orders.errors import OrderCancelled
from sagas.choreography.bus import AnswerAwaited, LeavingFirst, mark_told, tell, untold
from sagas.choreography.signals import order_cancel_requested, order_created, order_timed_out
from sagas.choreography.story import Story
from sagas.engine.driving import driving
from sagas.engine.lease import PROGRESS, claim, give_up, is_late, new_saga, wait
from sagas.errors import SagaTimedOut
from sagas.locks import lock_saga
from sagas.models import UNFINISHED, SagaInstance
from shipping import services as shipping
from shipping.errors import AlreadyShipped

logger = logging.getLogger(__name__)


class NothingToTell(Exception):
    """Everybody has heard everything, and still the saga does not rest: a reaction is missing."""


def start(order: OrderSnapshot, answers_key: str = "", should_stop: ShouldStop = never) -> SagaInstance:
    """Announce a new order, and tell everybody until it rests or has to wait."""
    saga = new_saga(order, answers_key)
    with driving(saga):
        _create(saga, order)
        _tell(saga, should_stop)
    return saga


def resume(saga: SagaInstance, should_stop: ShouldStop = never) -> SagaInstance:
    """Tell on what the saga's last driver has left untold, or that it is too late. Only for who has claimed it."""
    with driving(saga):
        if SagaInstance.objects.filter(is_late(), pk=saga.pk, status__in=UNFINISHED).exists():
            _time_out(saga)
        _tell(saga, should_stop)
    return saga


def cancel(saga: SagaInstance, reason: str, actor: str, should_stop: ShouldStop = never) -> SagaInstance:
    """Announce that `actor` has the order cancelled; a running one is told so by whoever is telling its facts.

    One that waits is due at once. Raises AlreadyShipped, having changed nothing.
    """
    with driving(saga):
        if fence := _request_cancel(saga.order_id, reason, actor):
            saga.fence = fence
            _tell(saga, should_stop)
    return saga


def turn_back(order_id: UUID, reason: str, actor: str) -> SagaInstance | None:
    """Announce that `actor` has the order cancelled; None when it fails anyway. Raises AlreadyShipped."""
    story = Story.of(order_id)
    if story.is_failing:
        return None
    shipping.cancel.begin(story.order)
    story.saga.cancelled_by = actor
    story.announce(order_cancel_requested, OrderCancelled(reason, reason=reason))
    story.write()
    return story.saga


@durable
def _create(saga: SagaInstance, order: OrderSnapshot) -> None:
    story = Story(saga, told=[])
    story.announce(order_created, total=order.totals.total)
    orders.create_order(order)
    story.open()


@durable
def _request_cancel(order_id: UUID, reason: str, actor: str) -> int | None:
    """The fence of the caller's lease, when this has given it something to tell: nobody else drives the order."""
    saga = turn_back(order_id, reason, actor)
    if saga is None:
        return None
    if claim(saga):
        return saga.fence
    SagaInstance.objects.filter(order_id=order_id, wake_at__isnull=False).update(wake_at=DatabaseNow())
    return None


@durable
def _time_out(saga: SagaInstance) -> None:
    """Announce that the order turns back, unless it does so anyway, or the carrier has fetched its parcel."""
    lock_saga(saga.order_id, saga.fence)
    story = Story.of(saga.order_id)
    with suppress(AlreadyShipped):
        if not story.is_failing:
            shipping.cancel.begin(story.order)
            story.announce(order_timed_out, SagaTimedOut())
            story.write()


def _tell(saga: SagaInstance, should_stop: ShouldStop) -> None:
    """Tell until all is told, or has to wait for a provider; whoever is leaving asks nothing more."""
    told, is_over = 0, False
    try:
        while not is_over:
            for seq in tell(saga.order_id, saga.fence, told, should_stop):
                told = seq
            is_over = _end(saga, told)
    except LeavingFirst:
        _leave(saga, told)
    except AnswerAwaited as news:
        _wait(saga, told, str(news))
        logger.warning("saga %s waits: %s", saga.pk, news)


@durable
def _end(saga: SagaInstance, told: int) -> bool:
    """Give the lease up, unless something new was announced meanwhile: no fact is without somebody to tell it."""
    give_up(saga, **PROGRESS, wake_at=None)
    if untold(saga.order_id, after=told).exists():
        transaction.set_rollback(True)
        return False
    mark_told(saga.order_id, told)
    saga.refresh_from_db()
    if not saga.is_finished:
        raise NothingToTell(str(saga.pk))
    return True


@durable
def _leave(saga: SagaInstance, told: int) -> None:
    give_up(saga, wake_at=DatabaseNow())
    mark_told(saga.order_id, told)
    saga.refresh_from_db()


@durable
def _wait(saga: SagaInstance, told: int, why: str) -> None:
    wait(saga, why)
    mark_told(saga.order_id, told)
    saga.refresh_from_db()
