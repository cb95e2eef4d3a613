"""The rows of the outbox: when they go, and what the metrics say of those that wait."""

from datetime import timedelta
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.outbox.consumers import mark_published, pending
from cloudmart.outbox.models import Consumer, OutboxEvent
from cloudmart.outbox.recording import ORDER, record
from cloudmart.outbox.types import EventType
from tests.conftest import signed_in
from tests.integration.test_races import all_at_once
from tests.rounds import rounds


@pytest.fixture(autouse=True)
def with_a_stream(settings, transactional_db):
    settings.EVENTS_URL = "redis://127.0.0.1:1/0"


def record_outcomes(number):
    for _ in range(number):
        durable(record)(EventType.ORDER_COMPLETED, ORDER, new_id(), {})


def test_rows_that_consumers_mark_at_the_same_time_are_deleted():
    """None of them sees that the others have marked the event too, until it waits for their locks."""
    for _ in range(rounds(5, ci=20)):
        record_outcomes(20)
        jobs = [partial(mark_published, consumer, pending(consumer)) for consumer in Consumer]
        assert all_at_once(jobs) == [None] * len(Consumer)
        assert OutboxEvent.objects.count() == 0


def test_what_each_consumer_does_not_have_is_in_the_metrics(operator):
    def gauge(name):
        text = signed_in(operator).get("/metrics").content.decode()
        (found,) = [family for family in text_string_to_metric_families(text) if family.name == name]
        return {sample.labels["consumer"]: sample.value for sample in found.samples}

    assert gauge("cloudmart_outbox_pending") == {"mail": 0, "webhooks": 0, "stream": 0}
    assert gauge("cloudmart_outbox_lag_seconds") == {"mail": 0, "webhooks": 0, "stream": 0}
    record_outcomes(3)
    oldest = pending(Consumer.MAIL, 1)
    OutboxEvent.objects.filter(pk=oldest[0].pk).update(time=DatabaseNow() - timedelta(hours=1))
    mark_published(Consumer.MAIL, oldest)
    mark_published(Consumer.WEBHOOKS, OutboxEvent.objects.all())
    assert gauge("cloudmart_outbox_pending") == {"mail": 2, "webhooks": 0, "stream": 3}
    lags = gauge("cloudmart_outbox_lag_seconds")
    assert 0 <= lags["mail"] < 60 and lags["webhooks"] == 0 and 3600 <= lags["stream"] < 3660
