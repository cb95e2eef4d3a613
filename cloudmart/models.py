"""The models that every context shares: the idempotency keys of the HTTP API, the outbox, and webhooks."""

from datetime import datetime

from django.db import models

from cloudmart.database.fields import CharField
from cloudmart.outbox.models import EventSequence as EventSequence
from cloudmart.outbox.models import OutboxConsumer as OutboxConsumer
from cloudmart.outbox.models import OutboxEvent as OutboxEvent
from cloudmart.webhooks.models import WebhookAttempt as WebhookAttempt
from cloudmart.webhooks.models import WebhookDelivery as WebhookDelivery
from cloudmart.webhooks.models import WebhookEndpoint as WebhookEndpoint


class IdempotencyKey(models.Model):
    """One use of an Idempotency-Key by one principal, and the response that a repeat gets."""

    read_at: datetime
    """Not stored: the time by the database's clock at which the row was read."""

    scope = CharField(max_length=64, unique=True, help_text="SHA-256 over principal and key, in hex")
    fingerprint = CharField(max_length=64, help_text="SHA-256 over method, path and canonical body, in hex")
    order_id = models.UUIDField(null=True, help_text="The order that the request led to")
    status_code = models.PositiveSmallIntegerField(null=True, help_text="Null while the request runs")
    body = models.TextField(blank=True, help_text="JSON, to be sent again as it is")
    location = CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "idempotency_keys"

    def __str__(self) -> str:
        return self.scope

    @property
    def is_open_order(self) -> bool:
        """Returns True if its order is not finished. Such a key does not expire."""
        return self.order_id is not None and self.status_code is None
