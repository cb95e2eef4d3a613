"""What is always true of what a saga leaves behind: its log, its facts and their receipts, its answer."""

from functools import reduce
from operator import or_

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, Subquery

from cloudmart.database.invariants import Rows, invariant
from cloudmart.models import IdempotencyKey
from sagas.choreography.bus import RECEIVERS
from sagas.models import FINISHED, Event, EventReceipt, SagaInstance, SagaStepLog
from sagas.operations.audit.endings import left_alone


def with_a_gap(rows: Rows, per: str) -> Rows:
    """Those `per` whose rows are not numbered 1, 2, 3 …; no number is there twice, says a constraint."""
    numbered = rows.values(per).annotate(rows=Count("seq"), first=Min("seq"), last=Max("seq"))
    return numbered.exclude(first=1, last=F("rows"))


@invariant(SagaStepLog, named_by=("saga_id",))
def log_has_no_gap(lines: Rows) -> Rows:
    """The lines of a saga's log are numbered without a gap."""
    return with_a_gap(lines, per="saga_id")


@invariant(Event, named_by=("aggregate_id",))
def facts_have_no_gap(facts: Rows) -> Rows:
    """The facts of an order are numbered without a gap."""
    return with_a_gap(facts, per="aggregate_id")


@invariant(Event, named_by=("aggregate_id", "seq"))
def facts_are_told(facts: Rows) -> Rows:
    """Once a saga rests, all of its facts have been delivered."""
    resting = SagaInstance.objects.filter(left_alone(), order_id=OuterRef("aggregate_id"), status__in=FINISHED)
    return facts.filter(Exists(resting), delivered_at=None)


@invariant(Event.objects.exclude(delivered_at=None), named_by=("aggregate_id", "seq"))
def facts_are_heard(facts: Rows) -> Rows:
    """Every fact that was delivered was heard by everybody whom it concerns; by nobody twice, says a constraint."""
    unheard = (
        Q(event_type=fact.event_type) & ~heard_by(receiver.consumer)
        for receiver in RECEIVERS
        for fact in receiver.facts
    )
    return facts.filter(reduce(or_, unheard))


@invariant(Event.objects.exclude(delivered_at=None), named_by=("aggregate_id", "seq"))
def facts_are_told_after_they_happen(facts: Rows) -> Rows:
    """No fact was delivered before it happened."""
    return facts.filter(delivered_at__lt=F("timestamp"))


@invariant(SagaInstance.objects.exclude(finished_at=None), named_by=("order_id",))
def saga_ends_after_its_steps(sagas: Rows) -> Rows:
    """No saga finished before its last step did."""
    last = SagaStepLog.objects.filter(saga=OuterRef("pk")).order_by("-seq")
    return sagas.filter(finished_at__lt=Subquery(last.values("finished")[:1]))


@invariant(IdempotencyKey.objects.exclude(order_id=None), named_by=("scope",))
def key_is_answered(keys: Rows) -> Rows:
    """Once a saga rests, the idempotency key that its order was placed with has its answer."""
    resting = SagaInstance.objects.filter(order_id=OuterRef("order_id"), status__in=FINISHED)
    return keys.filter(Exists(resting), status_code=None)


def heard_by(consumer: str) -> Exists:
    """Whether this consumer has a receipt of the outer fact."""
    return Exists(EventReceipt.objects.filter(event=OuterRef("pk"), consumer=consumer))


INVARIANTS = (
    log_has_no_gap,
    facts_have_no_gap,
    facts_are_told,
    facts_are_heard,
    facts_are_told_after_they_happen,
    saga_ends_after_its_steps,
    key_is_answered,
)
