"""How long an endpoint waits: for the worker that holds its lease, or after a failure."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings

from cloudmart.database.clock import NOW, from_now
from cloudmart.webhooks.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint


def lease() -> timedelta:
    """Returns for how long a worker holds an endpoint. It begins no request after a third of it."""
    return timedelta(seconds=3 * settings.WEBHOOK_TIMEOUT)


def end_wait(endpoint_id: UUID) -> None:
    """Ends the wait of an endpoint after a failure, if that is longer than a lease: a worker may hold the others."""
    WebhookEndpoint.objects.filter(pk=endpoint_id, due_at__gt=from_now(lease())).update(due_at=NOW)


def end_waits_of_deliveries(endpoint_id: UUID) -> None:
    """Makes due what waits for the next attempt."""
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint_id, status=DeliveryStatus.PENDING, due_at__gt=NOW)
    waiting.update(due_at=NOW)
