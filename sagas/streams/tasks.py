"""What a worker does for the stream."""

import logging
from datetime import timedelta

from django.conf import settings

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.outbox.consumers import BATCH, mark_published
from cloudmart.outbox.models import Consumer, OutboxEvent

logger = logging.getLogger(__name__)

DROPPED_AFTER = timedelta(days=1)
"""For so long events for the stream wait for a worker with EVENTS_URL, if this one has none."""


def publish_pending(should_stop: ShouldStop = never) -> int:
    """Publishes pending events, if EVENTS_URL is set. Returns how many rows of the outbox were processed.

    Without it, drops those that are for the stream since it was set, once they are a day old: not at once, because
    settings are changed on one process after another.
    """
    if not settings.EVENTS_URL:
        return drop_old()
    from sagas.streams.publisher import publisher  # its packages need not be installed without EVENTS_URL

    return publisher.publish_pending(should_stop)


def drop_old() -> int:
    """Marks old events as published that nobody publishes. Returns how many."""
    old = OutboxEvent.objects.filter(for_stream=True, time__lt=DatabaseNow() - DROPPED_AFTER)
    if rows := list(old.order_by("position")[:BATCH]):
        logger.warning("%s events are not published: EVENTS_URL is not set", len(rows))
        mark_published(Consumer.STREAM, rows)
    return len(rows)
