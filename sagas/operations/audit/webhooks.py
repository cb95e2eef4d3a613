"""Invariants of the webhooks to other systems."""

from cloudmart.database.invariants import Rows, invariant
from cloudmart.webhooks.models import DeliveryStatus, WebhookDelivery
from cloudmart.webhooks.queue import is_late


@invariant(WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING), named_by=("pk",))
def webhook_is_tried(deliveries: Rows) -> Rows:
    """Every webhook is concluded, waits as its endpoint does, or has been due for no longer than a worker takes."""
    return deliveries.filter(is_late())


INVARIANTS = (webhook_is_tried,)
