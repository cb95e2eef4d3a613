"""The outbox, the sequence of each subject's events, and the consumers.

The columns `id`, `aggregatetype`, `aggregateid`, `type` and `payload` have the names that Debezium's outbox event
router expects, so that a shop can also have them read from the database's log.
"""

from django.db import models

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField, CodeField
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.text import LONGEST_ERROR
from cloudmart.kernel.tracing import LONGEST_TRACEPARENT


class Consumer(models.TextChoices):
    """Who receives events. Each has a column of OutboxEvent: `for_mail`, `for_webhooks` and `for_stream`."""

    MAIL = "mail"
    WEBHOOKS = "webhooks"
    STREAM = "stream"

    @property
    def column(self) -> str:
        return f"for_{self.value}"


class OutboxEvent(models.Model):
    """An event that some consumer does not have yet. It is deleted once all have it.

    The positions of a subject's events are in the order of their sequence. Those of different subjects are not in the
    order of their commits: a consumer looks for its column, and never for what is after the last position it has seen.
    """

    position = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(db_column="id", default=new_id, editable=False)
    aggregate_type = CharField(db_column="aggregatetype", max_length=16, help_text="order, or book")
    subject = CodeField(db_column="aggregateid", max_length=64, help_text="The id of the order, or the book's code")
    type = CharField(max_length=32, help_text="Of its data; order.events names events of the saga instead")
    payload = models.JSONField(help_text="The data")
    sequence = models.PositiveIntegerField(
        null=True, help_text="1 for the subject's first event, without a gap; null for order.events"
    )
    time = models.DateTimeField(default=DatabaseNow, editable=False)
    traceparent = CharField(max_length=LONGEST_TRACEPARENT, null=True, blank=True)
    for_mail = models.BooleanField(help_text="True until the customer's mail is recorded")
    for_webhooks = models.BooleanField(help_text="True until each endpoint has its delivery")
    for_stream = models.BooleanField(help_text="True until Redis has it")

    class Meta:
        db_table = "outbox"
        indexes = [models.Index(fields=[each.column], name=f"outbox_{each.column}") for each in Consumer]

    def __str__(self) -> str:
        return f"{self.subject} #{self.sequence} {self.type}"


class EventSequence(models.Model):
    """How many events of a subject were recorded."""

    subject = CodeField(primary_key=True, max_length=80, help_text="The aggregate's type and id")
    latest = models.PositiveIntegerField()

    class Meta:
        db_table = "event_sequences"

    def __str__(self) -> str:
        return f"{self.subject} #{self.latest}"


class OutboxConsumer(models.Model):
    """The progress of a consumer: its row is locked, or leased, by the worker that passes events on to it."""

    name = CharField(primary_key=True, max_length=16, choices=Consumer.choices)
    owner = CharField(max_length=64, blank=True, help_text="Who holds the lease")
    lease_until = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    error = CharField(max_length=LONGEST_ERROR, blank=True, help_text="Why the last run failed")

    class Meta:
        db_table = "outbox_consumers"

    def __str__(self) -> str:
        return self.name
