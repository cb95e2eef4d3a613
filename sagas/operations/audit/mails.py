"""Invariants of the mails that say to customers what has become of their orders."""

from functools import reduce
from operator import or_

from django.conf import settings
from django.db.models import CharField, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Cast

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.invariants import Rows, invariant
from cloudmart.outbox.models import OutboxEvent
from cloudmart.outbox.recording import ORDER
from cloudmart.outbox.types import EventType
from orders.mails.queue import not_waiting
from orders.models import Mail, MailStatus, Outcome
from sagas.models import FINISHED, SagaInstance, State
from sagas.operations.audit.events import subject_of

OUTCOMES = {EventType.ORDER_COMPLETED, EventType.ORDER_CANCELLED, EventType.ORDER_RETURNED}
MAILED_AS = {State.COMPLETED: {Outcome.COMPLETED}, State.FAILED: {Outcome.CANCELLED, Outcome.RETURNED}}
"""The outcomes of which one has a mail once the saga has this state."""


@invariant(SagaInstance.objects.filter(status__in=FINISHED), named_by=("order_id",))
def finished_has_its_mail(sagas: Rows) -> Rows:
    """Every order that has finished has its mail, or an event for it, unless such mails are deleted already."""
    oldest = Mail.objects.order_by("created_at").values("created_at")[:1]
    mailed = (
        Q(status=state) & Exists(Mail.objects.filter(order=OuterRef("order_id"), outcome__in=outcomes))
        for state, outcomes in MAILED_AS.items()
    )
    events = OutboxEvent.objects.filter(for_mail=True, aggregate_type=ORDER, type__in=OUTCOMES)
    waiting = events.values_list(Cast("subject", CharField(max_length=36)))
    finished = sagas.filter(finished_at__gt=Subquery(oldest) + settings.AUDIT_GRACE)
    without = finished.exclude(reduce(or_, mailed)).annotate(subject=subject_of("order_id"))
    return without.exclude(subject__in=waiting)


@invariant(Mail.objects.filter(status=MailStatus.PENDING), named_by=("order_id",))
def mail_is_tried(mails: Rows) -> Rows:
    """Every mail is concluded, waits for its next attempt, or has been due for no longer than a worker takes."""
    return not_waiting(mails).filter(due_at__lte=DatabaseNow() - settings.AUDIT_GRACE)


INVARIANTS = (finished_has_its_mail, mail_is_tried)
