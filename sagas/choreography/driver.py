"""Where a choreographed order begins, and where its cancellation is wished: a fact is announced, and told."""

import logging
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from cloudmart.kernel.facts import OrderFacts
from cloudmart.kernel.transactions import durable
from orders import services as orders
from orders.errors import OrderCancelled
from sagas.choreography.bus import AnswerAwaited, deliver
from sagas.choreography.signals import order_cancel_requested, order_created
from sagas.choreography.story import Story
from sagas.driving import driving
from sagas.models import WAIT, SagaInstance, new_saga
from shipping import services as shipping

logger = logging.getLogger(__name__)


def start(order: OrderFacts, answers_key: str = "") -> SagaInstance:
    """Announce a new order, and tell everybody until it rests or has to wait."""
    saga = new_saga(order, answers_key)
    with driving(saga):
        _create(saga, order)
        return _tell(saga)


def resume(saga: SagaInstance) -> SagaInstance:
    """Tell on what the saga's last driver has left untold. Only for who has claimed it."""
    with driving(saga):
        return _tell(saga)


def cancel(saga: SagaInstance, reason: str) -> SagaInstance:
    """Announce that the order is to be cancelled; a running one is told so by whoever is telling its facts.

    Raises AlreadyShipped, having changed nothing.
    """
    with driving(saga):
        return _tell(saga) if _request_cancel(saga.order_id, reason) else saga


@durable
def _create(saga: SagaInstance, order: OrderFacts) -> None:
    story = Story(saga, told=[])
    story.announce(order_created, total=order.totals.total)
    orders.create_order(order)
    story.open()


@durable
def _request_cancel(order_id: UUID, reason: str) -> bool:
    """Whether this has given the caller something to tell: nobody else was telling the order's facts."""
    story = Story.of(order_id)
    if story.is_failing:
        return False
    shipping.begin_cancel(story.order)
    was_at_rest = story.is_at_rest
    story.announce(order_cancel_requested, OrderCancelled(reason, reason=reason))
    story.write()
    return was_at_rest


def _tell(saga: SagaInstance) -> SagaInstance:
    try:
        deliver(saga.order_id)
    except AnswerAwaited as news:
        SagaInstance.objects.filter(pk=saga.pk).update(attempts=F("attempts") + 1, wake_at=timezone.now() + WAIT)
        logger.warning("saga %s waits: %s", saga.pk, news)
    saga.refresh_from_db()
    return saga
