"""Metrics of the outbox, read from the database at each scrape."""

from collections.abc import Iterable

from django.db.models import F
from prometheus_client import Metric
from prometheus_client.registry import Collector

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.metrics import READ_AT_SCRAPE, gauge_read_at_scrape
from cloudmart.outbox.models import Consumer, OutboxEvent


class PendingEvents(Collector):
    def collect(self) -> Iterable[Metric]:
        pending = gauge_read_at_scrape(
            "cloudmart_outbox_pending", "Rows of the outbox that a consumer does not have.", labels=["consumer"]
        )
        lag = gauge_read_at_scrape(
            "cloudmart_outbox_lag_seconds",
            "Age of the oldest row of the outbox that a consumer does not have.",
            labels=["consumer"],
        )
        for consumer in Consumer:
            number = OutboxEvent.objects.filter(**{consumer.column: True}).count()
            pending.add_metric([consumer], number)
            lag.add_metric([consumer], lag_seconds(consumer) if number else 0)
        return pending, lag


def lag_seconds(consumer: Consumer) -> float:
    """Returns 0 if nothing is pending."""
    rows = OutboxEvent.objects.filter(**{consumer.column: True}).order_by("position")
    age = rows.annotate(age=DatabaseNow() - F("time")).values_list("age", flat=True).first()
    return max(0.0, age.total_seconds()) if age else 0.0


READ_AT_SCRAPE.register(PendingEvents())
