"""Reading endpoints and deliveries."""

from uuid import UUID

from django.db.models import Prefetch

from cloudmart.outbox.cloud_events import CONTENT_TYPE
from cloudmart.webhooks.errors import DeliveryNotFound, EndpointNotFound
from cloudmart.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


def find_endpoint(endpoint_id: UUID) -> WebhookEndpoint:
    """Raises EndpointNotFound."""
    try:
        return WebhookEndpoint.objects.get(pk=endpoint_id)
    except WebhookEndpoint.DoesNotExist:
        raise EndpointNotFound from None


def find_delivery(delivery_id: UUID) -> WebhookDelivery:
    """Returns the delivery with its attempts, in their order. Raises DeliveryNotFound."""
    log = Prefetch("log", WebhookAttempt.objects.order_by("pk"))
    try:
        return WebhookDelivery.objects.prefetch_related(log).get(pk=delivery_id)
    except WebhookDelivery.DoesNotExist:
        raise DeliveryNotFound from None


def headers_of(delivery: WebhookDelivery) -> dict[str, str]:
    """Returns the headers that all attempts have in common: each signs the time of its own."""
    return {"content-type": CONTENT_TYPE, "webhook-id": str(delivery.event_id)}
