"""Sagas that a worker has to resume."""

from uuid import UUID

from django.db.models import QuerySet

from sagas.engine.lease import DUE_SINCE, is_due
from sagas.models import UNFINISHED, Event, SagaInstance


def due(limit: int) -> list[SagaInstance]:
    """Returns sagas to resume, those that have been due longest first: unfinished, or with an undelivered event."""
    undelivered = Event.objects.filter(delivered_at=None).values("aggregate_id")
    unfinished = _due_among(SagaInstance.objects.filter(status__in=UNFINISHED))
    both = unfinished.union(_due_among(SagaInstance.objects.filter(order_id__in=undelivered)))
    oldest = [pk for _, pk in both.order_by("since")[:limit]]  # type: ignore[misc]
    found = SagaInstance.objects.in_bulk(oldest)
    return [found[pk] for pk in oldest]


def _due_among(sagas: QuerySet[SagaInstance]) -> QuerySet[SagaInstance, tuple[object, UUID]]:
    return sagas.filter(is_due()).annotate(since=DUE_SINCE).values_list("since", "pk")
