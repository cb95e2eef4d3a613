"""Invariants of the records of a saga: its log, its events and their receipts, its stored response."""

from functools import reduce
from operator import or_

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, Subquery

from cloudmart.database.invariants import Rows, invariant
from cloudmart.models import IdempotencyKey
from sagas.choreography.reactions import REACTIONS
from sagas.models import FINISHED, Event, EventReceipt, SagaInstance, SagaStepLog
from sagas.operations.audit.endings import is_overdue


def with_a_gap(rows: Rows, per: str) -> Rows:
    """Returns those `per` whose rows are not numbered 1, 2, 3, …. A constraint forbids duplicates."""
    numbered = rows.values(per).annotate(rows=Count("seq"), first=Min("seq"), last=Max("seq"))
    return numbered.exclude(first=1, last=F("rows"))


@invariant(SagaStepLog, named_by=("saga_id",))
def log_has_no_gap(lines: Rows) -> Rows:
    """The lines of a saga's log are numbered without a gap."""
    return with_a_gap(lines, per="saga_id")


@invariant(Event, named_by=("aggregate_id",))
def events_have_no_gap(events: Rows) -> Rows:
    """The events of an order are numbered without a gap."""
    return with_a_gap(events, per="aggregate_id")


@invariant(Event, named_by=("aggregate_id", "seq"))
def events_are_delivered(events: Rows) -> Rows:
    """All events of a finished saga are delivered."""
    finished = SagaInstance.objects.filter(is_overdue(), order_id=OuterRef("aggregate_id"), status__in=FINISHED)
    return events.filter(Exists(finished), delivered_at=None)


@invariant(Event.objects.exclude(delivered_at=None), named_by=("aggregate_id", "seq"))
def events_have_receipts(events: Rows) -> Rows:
    """Every delivered event has a receipt of each reaction to it; a constraint forbids a second one."""
    unprocessed = (
        Q(event_type=event.event_type) & ~processed_by(reaction.name)
        for reaction in REACTIONS.values()
        for event in reaction.events
    )
    return events.filter(reduce(or_, unprocessed))


@invariant(Event.objects.exclude(delivered_at=None), named_by=("aggregate_id", "seq"))
def events_are_delivered_after_they_happen(events: Rows) -> Rows:
    """No event was delivered before it happened."""
    return events.filter(delivered_at__lt=F("timestamp"))


@invariant(SagaInstance.objects.exclude(finished_at=None), named_by=("order_id",))
def saga_ends_after_its_steps(sagas: Rows) -> Rows:
    """No saga finished before its last step did."""
    last = SagaStepLog.objects.filter(saga=OuterRef("pk")).order_by("-seq")
    return sagas.filter(finished_at__lt=Subquery(last.values("finished")[:1]))


@invariant(IdempotencyKey.objects.exclude(order_id=None), named_by=("scope",))
def key_has_response(keys: Rows) -> Rows:
    """The idempotency key with which the order of a finished saga was placed has its response."""
    finished = SagaInstance.objects.filter(order_id=OuterRef("order_id"), status__in=FINISHED)
    return keys.filter(Exists(finished), status_code=None)


def processed_by(consumer: str) -> Exists:
    """Returns whether this consumer has a receipt of the outer event."""
    return Exists(EventReceipt.objects.filter(event=OuterRef("pk"), consumer=consumer))


INVARIANTS = (
    log_has_no_gap,
    events_have_no_gap,
    events_are_delivered,
    events_have_receipts,
    events_are_delivered_after_they_happen,
    saga_ends_after_its_steps,
    key_has_response,
)
