"""Invariants of the events that leave the shop, and of their sequences."""

from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import CharField, Exists, OuterRef, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat, Replace, Substr

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.invariants import Rows, invariant
from cloudmart.outbox.models import EventSequence, OutboxEvent
from cloudmart.outbox.recording import ORDER
from cloudmart.webhooks.models import EndpointStatus, WebhookEndpoint
from sagas.models import FINISHED, SagaInstance

MIGRATION = {"app": "cloudmart", "name": "0004_outbox"}
"""The migration before which no order has events."""
UPGRADE = timedelta(hours=1)
"""For how long after the migration processes of the earlier version may finish orders, without events."""
GROUPS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
"""Where the groups of hexadecimal digits of a UUID begin, and their lengths."""


def subject_of(order_id: str | Combinable) -> Combinable:
    """Returns the subject of the events of the order with this id, which databases store in several forms."""
    digits = Replace(Cast(order_id, CharField(max_length=36)), Value("-"), Value(""))
    first, *others = [Substr(digits, start, length) for start, length in GROUPS]
    return Concat(first, *[part for group in others for part in (Value("-"), group)])


@invariant(OutboxEvent, named_by=("subject", "sequence"))
def events_are_passed_on(events: Rows) -> Rows:
    """The mail and the webhooks have every event, or a worker has not had the time to pass it on."""
    is_sent = Exists(WebhookEndpoint.objects.filter(status=EndpointStatus.ENABLED))
    waits = Q(for_mail=True) | Q(is_sent, for_webhooks=True)
    return events.filter(waits, time__lte=DatabaseNow() - settings.AUDIT_GRACE)


@invariant(OutboxEvent.objects.exclude(sequence=None), named_by=("subject", "sequence"))
def sequence_counts_events(events: Rows) -> Rows:
    """No event has a number beyond those that its sequence has given out."""
    counted = EventSequence.objects.filter(subject=OuterRef("key"), latest__gte=OuterRef("sequence"))
    return events.annotate(key=Concat("aggregate_type", Value(":"), "subject")).exclude(Exists(counted))


@invariant(SagaInstance.objects.filter(status__in=FINISHED), named_by=("order_id",))
def finished_has_its_event(sagas: Rows) -> Rows:
    """Every order that has finished since there are events has recorded one."""
    migrations = MigrationRecorder(connection).Migration.objects.using(connection.alias)
    begun = migrations.filter(**MIGRATION).values_list("applied", flat=True).first()
    if begun is None:
        return sagas.none()
    sequence = EventSequence.objects.filter(subject=OuterRef("key"))
    finished = sagas.filter(finished_at__gt=begun + UPGRADE)
    return finished.annotate(key=Concat(Value(f"{ORDER}:"), subject_of("order_id"))).exclude(Exists(sequence))


INVARIANTS = (events_are_passed_on, sequence_counts_events, finished_has_its_event)
