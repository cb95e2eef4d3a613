"""Recording deliveries: of events that the outbox passes on, and of tests. Nothing is sent here."""

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from cloudmart.database.clock import database_now, from_now
from cloudmart.database.prepared import Insert, Select
from cloudmart.database.transactions import joining
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.ids import new_id
from cloudmart.outbox.cloud_events import cloud_event, document
from cloudmart.outbox.models import OutboxEvent
from cloudmart.outbox.types import DATA_VERSIONS, EventType
from cloudmart.webhooks.models import EndpointStatus, WebhookDelivery, WebhookEndpoint
from cloudmart.webhooks.waits import end_wait

INSERT = Insert(WebhookDelivery)
ENABLED = Select(
    lambda: WebhookEndpoint.objects.filter(status=EndpointStatus.ENABLED).only("pk", "event_types").order_by("pk")
)


def receive(events: Sequence[OutboxEvent]) -> None:
    """Records a delivery of each event for each enabled endpoint that receives its type. In the open transaction."""
    endpoints = ENABLED()
    if endpoints:
        INSERT(*[delivery for event in events for delivery in _deliveries_of(event, endpoints)])


@joining
def record_test(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Records the delivery of a test event to this endpoint. Raises IllegalMove if it is disabled."""
    if not WebhookEndpoint.objects.filter(pk=endpoint.pk, status=EndpointStatus.ENABLED).exists():
        raise IllegalMove("The endpoint is disabled.", record="WebhookEndpoint", id=str(endpoint.pk))
    event_id = new_id()
    event = document(
        id=str(event_id),
        type=EventType.TEST,
        source=settings.EVENT_SOURCE,
        subject=str(endpoint.pk),
        time=database_now().isoformat(),
        sequence=None,
        dataschema=f"{settings.EVENT_SOURCE}:{EventType.TEST.value}:{DATA_VERSIONS[EventType.TEST]}",
        traceparent=None,
        data={"endpoint_id": str(endpoint.pk)},
    )
    delivery = _delivery(
        endpoint, event_id=event_id, event_type=EventType.TEST, subject=str(endpoint.pk), position=0, body=_text(event)
    )
    INSERT(delivery)
    end_wait(endpoint.pk)
    return WebhookDelivery.objects.get(pk=delivery.pk)


def _deliveries_of(event: OutboxEvent, endpoints: Sequence[WebhookEndpoint]) -> list[WebhookDelivery]:
    receivers = [each for each in endpoints if not each.event_types or event.type in each.event_types]
    if not receivers:
        return []
    body = _text(cloud_event(event))
    columns = {"event_id": event.event_id, "event_type": event.type, "subject": event.subject}
    return [_delivery(each, **columns, position=event.position, body=body) for each in receivers]


def _delivery(endpoint: WebhookEndpoint, **columns: Any) -> WebhookDelivery:
    return WebhookDelivery(endpoint_id=endpoint.pk, retry_until=from_now(settings.WEBHOOK_RETRY_FOR), **columns)


def _text(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
