"""The outbox and its consumers in the admin."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from cloudmart.outbox.models import Consumer, EventSequence, OutboxConsumer, OutboxEvent
from cloudmart.pages.base import ReadOnlyAdmin
from cloudmart.pages.cells import column, shortened_in

MOST_COUNTED = 1000

subject = shortened_in("subject", _("subject"))


def pending(consumer: OutboxConsumer) -> Any:
    """Returns how many events the consumer does not have; "1000+" if more are not counted."""
    events = OutboxEvent.objects.filter(**{Consumer(consumer.name).column: True})
    number = events[:MOST_COUNTED].count()
    return f"{MOST_COUNTED}+" if number == MOST_COUNTED else str(number)


def oldest(consumer: OutboxConsumer) -> Any:
    events = OutboxEvent.objects.filter(**{Consumer(consumer.name).column: True})
    return events.order_by("position").values_list("time", flat=True).first()


@admin.register(OutboxConsumer)
class OutboxConsumerAdmin(ReadOnlyAdmin):
    """Who receives events. A consumer has a row once it has received its first."""

    list_display = [
        "name",
        column(_("pending events"), pending, "pending"),
        column(_("oldest pending event"), oldest, "oldest"),
        "failing_since",
        "error",
        "owner",
        "lease_until",
    ]
    search_fields = ["name"]
    ordering = ["pk"]


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """Events that some consumer does not have yet."""

    list_display = ["position", "type", subject, "sequence", "time", "for_mail", "for_webhooks", "for_stream"]
    list_filter = ["for_mail", "for_webhooks", "for_stream"]
    list_defer = ("payload",)
    search_fields = ["position"]


@admin.register(EventSequence)
class EventSequenceAdmin(ReadOnlyAdmin):
    list_display = ["latest", subject]
    search_fields = ["subject"]
    ordering = ["pk"]
