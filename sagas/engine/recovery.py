"""Sagas that a worker has to resume."""

from uuid import UUID

from django.db.models import QuerySet

from cloudmart.kernel.sharing import ALONE, Share, itself
from sagas.engine.lease import DUE_SINCE, is_due
from sagas.models import UNFINISHED, Event, SagaInstance


def due(limit: int, share: Share = ALONE) -> list[SagaInstance]:
    """Returns the sagas of this share to resume, those that have been due longest first.

    They are unfinished, or have an undelivered event.
    """
    undelivered = Event.objects.filter(delivered_at=None).values("aggregate_id")
    unfinished = _due_among(SagaInstance.objects.filter(status__in=UNFINISHED))
    both = unfinished.union(_due_among(SagaInstance.objects.filter(order_id__in=undelivered)))
    oldest = [pk for _, pk in both.order_by("since")[: share.window(limit)]]  # type: ignore[misc]
    chosen = share.of(oldest, limit, key=itself)
    found = SagaInstance.objects.in_bulk(chosen)
    return [found[pk] for pk in chosen]


def _due_among(sagas: QuerySet[SagaInstance]) -> QuerySet[SagaInstance, tuple[object, UUID]]:
    return sagas.filter(is_due()).annotate(since=DUE_SINCE).values_list("since", "pk")
