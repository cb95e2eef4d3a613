"""The endpoints that receive webhooks, the deliveries to them, and each attempt at a delivery."""

from django.db import models
from django.utils.translation import gettext

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField, CodeField
from cloudmart.database.states import HasMoves
from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.text import LONGEST_ERROR, LONGEST_REASON

LONGEST_URL, LONGEST_SECRET, LONGEST_RESPONSE = 500, 128, 1000


class EndpointStatus(TranslatedChoices):
    ENABLED = "enabled"  #: Events are sent to it.
    DISABLED = "disabled"  #: No event is sent to it, nor kept for it.


class WebhookEndpoint(HasMoves):
    """A URL to which events are sent. One worker at a time sends to it: the holder of its lease."""

    MOVES = {
        EndpointStatus.ENABLED: {EndpointStatus.DISABLED},
        EndpointStatus.DISABLED: {EndpointStatus.ENABLED},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    url = CharField("URL", max_length=LONGEST_URL)
    description = CharField(max_length=200, blank=True)
    event_types = models.JSONField(default=list, blank=True, help_text="The types that it receives; empty: all")
    status = CharField(max_length=16, choices=EndpointStatus.choices, default=EndpointStatus.ENABLED)
    disabled_reason = CharField(max_length=LONGEST_REASON, blank=True, help_text="Why it was disabled")
    disabled_at = models.DateTimeField(null=True, blank=True)
    secret = CodeField(max_length=LONGEST_SECRET, help_text="Signs every webhook")
    previous_secret = CodeField(max_length=LONGEST_SECRET, blank=True, help_text="Signs them too after a rotation")
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True, help_text="Since when no webhook was accepted")
    failures = models.PositiveIntegerField(default=0, help_text="Attempts in a row that have failed")
    due_at = models.DateTimeField(
        default=DatabaseNow, help_text="When a worker may send to it; while one does, the end of its lease"
    )
    fence = models.PositiveIntegerField(default=0, help_text="How often a worker has acquired its lease")
    created_at = models.DateTimeField(default=DatabaseNow, editable=False)
    created_by = CharField(max_length=150, blank=True)

    class Meta:
        db_table = "webhook_endpoints"
        permissions = [
            ("rotate_secret", "Can rotate the secret of a webhook endpoint"),
            ("send_test", "Can send a test event to a webhook endpoint"),
        ]

    def __str__(self) -> str:
        return self.url


class DeliveryStatus(TranslatedChoices):
    PENDING = "pending"  #: It is sent when it is due.
    DELIVERED = "delivered"  #: The endpoint has responded with 2xx.
    FAILED = "failed"  #: The endpoint has not accepted it for too long, or was disabled.


class WebhookDelivery(HasMoves):
    """One event for one endpoint, as it is sent."""

    MOVES = {
        DeliveryStatus.PENDING: {DeliveryStatus.DELIVERED, DeliveryStatus.FAILED},
        DeliveryStatus.DELIVERED: {DeliveryStatus.PENDING},
        DeliveryStatus.FAILED: {DeliveryStatus.PENDING},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False, db_index=False
    )
    event_id = models.UUIDField(help_text="The webhook-id")
    event_type = CharField(max_length=32)
    subject = CodeField(max_length=64, help_text="The id of the order, or the book's code")
    position = models.BigIntegerField(
        help_text="Of the event in the outbox: a subject's webhooks are sent in this order"
    )
    body = models.TextField(help_text="The request's body, byte for byte")
    status = CharField(max_length=16, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0, help_text="Since it was recorded, or resent")
    due_at = models.DateTimeField(default=DatabaseNow)
    retry_until = models.DateTimeField(help_text="When it fails if the endpoint has not accepted it")
    resends = models.PositiveIntegerField(default=0, help_text="How often an operator has had it sent again")
    created_at = models.DateTimeField(default=DatabaseNow, editable=False)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"
        permissions = [("resend_delivery", "Can have a webhook sent again")]
        constraints = [models.UniqueConstraint(fields=["endpoint", "event_id"], name="one_delivery_per_event")]
        indexes = [
            models.Index(fields=["endpoint", "status", "due_at"], name="deliveries_due"),
            models.Index(fields=["subject", "status"], name="deliveries_of_subject"),
        ]

    def __str__(self) -> str:
        return gettext("%(type)s of %(subject)s: %(status)s") % {
            "type": self.event_type,
            "subject": self.subject,
            "status": gettext(self.status),
        }


class WebhookAttempt(models.Model):
    """One request, and what the endpoint has responded."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log", db_constraint=False)
    at = models.DateTimeField(default=DatabaseNow, editable=False)
    milliseconds = models.PositiveIntegerField()
    status_code = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Null: no response")
    response = CharField(max_length=LONGEST_RESPONSE, blank=True, help_text="The beginning of the response's body")
    error = CharField(max_length=LONGEST_ERROR, blank=True, help_text="Why it has failed")

    class Meta:
        db_table = "webhook_attempts"

    def __str__(self) -> str:
        return f"{self.status_code or self.error}"
