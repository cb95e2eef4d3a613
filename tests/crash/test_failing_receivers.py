"""Receivers that fail for an hour hurt nobody: no order, no mail, no other receiver and no stream."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloudmart.outbox.models import OutboxEvent
from cloudmart.webhooks.models import EndpointStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.registration import change
from cloudmart.webhooks.sending import Sender
from sagas.streams.tasks import publish_pending
from tests.clock import database_clock
from tests.crash.stories import HAPPY
from tests.passing_on import pass_events_on
from tests.receivers import running_receiver
from tests.webhooks import make_endpoint

pytestmark = pytest.mark.slow

FAILURES = ("error", "redirect", "hang", "drip", "garbage", "endless", "close")
MOMENTS = [timedelta(minutes=minutes) for minutes in (0, 30, 60)]
"""When there are new events."""


@pytest.fixture
def failing(tmp_path):
    with running_receiver(tmp_path) as receiver:
        yield receiver


@pytest.fixture
def relay(settings):
    """What a worker does for the consumers when so much time has passed."""
    settings.WEBHOOK_TIMEOUT = 2
    with closing(Sender()) as sender:

        def relay(passed=timedelta(0)):
            with database_clock(lambda: datetime.now(UTC) + passed):
                pass_events_on()
                sender.send_due()
                publish_pending()

        yield relay


def placed(attempt):
    """Places the order. Returns how many statements that takes."""
    with CaptureQueriesContext(connection) as statements:
        attempt.request()
    return len(statements)


def test_receivers_that_fail_for_an_hour_hurt_nobody(shop, failing, relay):
    healthy = WebhookEndpoint.objects.get()
    placed(shop.begin(HAPPY))
    alone = placed(shop.begin(HAPPY))
    relay()
    endpoints = {failure: make_endpoint(url=failing.url(failure)) for failure in FAILURES}
    order_ids = []
    for passed in MOMENTS:
        attempt, tried = shop.begin(HAPPY), len(failing.received())
        assert placed(attempt) == alone and len(failing.received()) == tried, "an order asks no receiver"
        relay(passed)
        assert attempt.end() == HAPPY.end
        order_ids.append(str(attempt.order_id))
        attempt.check_mails({"completed"}, most_copies=1)
        shop.consumers.check(attempt.order_id, {"completed"})
        delivery = healthy.deliveries.get(subject=order_ids[-1])
        hanging = WebhookAttempt.objects.filter(delivery__endpoint=endpoints["hang"]).latest("pk")
        assert delivery.delivered_at < hanging.at + timedelta(milliseconds=hanging.milliseconds)
    assert not OutboxEvent.objects.exists()
    for endpoint in endpoints.values():
        endpoint.refresh_from_db()
        assert (endpoint.status, endpoint.failures) == (EndpointStatus.ENABLED, len(MOMENTS))
        assert endpoint.deliveries.filter(status="pending").count() == len(MOMENTS)
        change(endpoint, {"url": failing.url("accept")})
    relay(2 * MOMENTS[-1])
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert len(failing.accepted()) == len(FAILURES) * len(MOMENTS)
    assert {webhook.event["subject"] for webhook in failing.accepted()} == {*order_ids}
