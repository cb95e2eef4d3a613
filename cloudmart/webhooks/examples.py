"""Examples of endpoints and deliveries."""

import json
from typing import Any

from cloudmart.api.examples import CREATED, FINISHED, NOTHING, ORDER, request_example
from cloudmart.outbox.cloud_events import CONTENT_TYPE
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_examples import ENDPOINT, EVENT, example_of

DELIVERY = "01a1fc13-0711-7b5e-a1f0-9c8d7e6f5a4b"
URL = "https://example.com/cloudmart"
CHOICE = {"url": URL, "description": "The accounting system", "event_types": ["order.completed", "payment.refunded"]}

NEW_ENDPOINT = [
    request_example("Some types", CHOICE),
    request_example("All types", {"url": URL}),
]
CHANGES = [request_example("Another URL", {"url": URL}), request_example("All types", {"event_types": []})]

DISABLING = [request_example("With a reason", {"reason": "The system is being replaced"}), NOTHING]

ENDPOINT_EXAMPLE: dict[str, Any] = {
    "endpoint_id": ENDPOINT,
    **CHOICE,
    "status": "enabled",
    "disabled_reason": "",
    "disabled_at": None,
    "failing_since": None,
    "failures": 0,
    "previous_secret_until": None,
    "created_at": CREATED,
    "created_by": "operator",
}
WITH_SECRET_EXAMPLE = {**ENDPOINT_EXAMPLE, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}

DELIVERY_EXAMPLE: dict[str, Any] = {
    "delivery_id": DELIVERY,
    "endpoint_id": ENDPOINT,
    "event_id": EVENT,
    "event_type": "order.completed",
    "subject": ORDER,
    "status": "delivered",
    "attempts": 1,
    "next_attempt_at": None,
    "retry_until": "2026-11-24T09:00:00.893904Z",
    "resends": 0,
    "created_at": FINISHED,
    "delivered_at": "2026-11-21T09:00:01.204417Z",
}
DELIVERY_DETAIL_EXAMPLE = {
    **DELIVERY_EXAMPLE,
    "headers": [{"name": "content-type", "value": CONTENT_TYPE}, {"name": "webhook-id", "value": EVENT}],
    "body": json.dumps(example_of(EventType.ORDER_COMPLETED), ensure_ascii=False),
    "log": [
        {
            "at": "2026-11-21T09:00:01.204417Z",
            "milliseconds": 83,
            "status_code": 204,
            "response": "",
            "error": "",
        }
    ],
}
