"""Where a choreographed order begins, and where its cancellation is wished: a fact is announced, and told."""

import logging
from django.db.models import F
from django.utils import timezone

from cloudmart.kernel.facts import OrderFacts
from cloudmart.kernel.transactions import durable
from orders import services as orders
from orders.errors import OrderCancelled
from sagas.choreography.bus import AnswerAwaited, deliver
from sagas.choreography.signals import order_cancel_requested, order_created
from sagas.choreography.story import Story
from sagas.models import WAIT, SagaInstance
from shipping import services as shipping

logger = logging.getLogger(__name__)


def start(order: OrderFacts) -> SagaInstance:
    """Announce a new order, and tell everybody until it rests or has to wait."""
    saga = SagaInstance(saga_type=order.saga_style, order_id=order.order_id, payload=order.as_json())
    _create(saga, order)
    return _tell(saga)


def undo(saga: SagaInstance, reason: str) -> SagaInstance:
    """Announce that a completed order is to be cancelled. Raises AlreadyShipped, having changed nothing."""
    _request_cancel(saga, reason)
    return _tell(saga)


@durable
def _create(saga: SagaInstance, order: OrderFacts) -> None:
    saga.save(force_insert=True)
    orders.create_order(order)
    story = Story(saga, told=[])
    story.announce(order_created, total=order.totals.total)
    story.write()


@durable
def _request_cancel(saga: SagaInstance, reason: str) -> None:
    story = Story.of(saga.order_id)
    if not story.is_failing:
        shipping.begin_cancel(story.order)
        story.announce(order_cancel_requested, **OrderCancelled(reason, reason=reason).as_json())
        story.write()


def _tell(saga: SagaInstance) -> SagaInstance:
    try:
        deliver(saga.order_id)
    except AnswerAwaited as news:
        SagaInstance.objects.filter(pk=saga.pk).update(attempts=F("attempts") + 1, wake_at=timezone.now() + WAIT)
        logger.warning("saga %s waits: %s", saga.pk, news)
    saga.refresh_from_db()
    return saga
