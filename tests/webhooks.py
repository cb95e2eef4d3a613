"""Webhook endpoints and deliveries for tests."""

import json
from datetime import timedelta
from typing import Any

from cloudmart.database.clock import from_now
from cloudmart.kernel.ids import new_id
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_examples import example_of
from cloudmart.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.registration import register

URL = "https://example.com/webhooks"


def make_endpoint(**columns: Any) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(**{"url": URL, **columns})
    register(endpoint, "operator")
    return endpoint


def make_delivery(endpoint: WebhookEndpoint | None = None, **columns: Any) -> WebhookDelivery:
    """Stores the delivery of an event, without an attempt. Without an endpoint, it gets one of its own."""
    event_type = EventType(columns.pop("event_type", EventType.ORDER_COMPLETED))
    event = example_of(event_type)
    delivery = WebhookDelivery.objects.create(
        endpoint=endpoint or make_endpoint(),
        **{
            "event_id": new_id(),
            "event_type": event_type,
            "subject": event["subject"],
            "position": 1,
            "body": json.dumps(event, ensure_ascii=False, separators=(",", ":")),
            "retry_until": from_now(timedelta(hours=1)),
            **columns,
        },
    )
    return WebhookDelivery.objects.get(pk=delivery.pk)


def make_attempt(delivery: WebhookDelivery, **columns: Any) -> WebhookAttempt:
    """Stores an attempt at the delivery, to which the endpoint has responded 204."""
    return WebhookAttempt.objects.create(delivery=delivery, **{"milliseconds": 31, "status_code": 204, **columns})
