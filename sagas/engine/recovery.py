"""Sagas whose last driver has left them: which are due, and driving them on."""

import logging
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from django.db import close_old_connections
from django.db.models import QuerySet

from cloudmart.database.transactions import durable
from cloudmart.kernel.stopping import ShouldStop, never
from orders.models import SagaStyle
from sagas.choreography import driver as choreography
from sagas.engine.lease import DUE_SINCE, ONCE, claim, is_due, wait
from sagas.errors import LeaseLost, SagaAbandoned, SagaRunning
from sagas.models import UNFINISHED, Event, SagaInstance
from sagas.orchestration.orchestrator import OrderSagaOrchestrator
from sagas.selectors import find_saga

logger = logging.getLogger(__name__)

RESUME: dict[str, Callable[[SagaInstance, ShouldStop], SagaInstance]] = {
    SagaStyle.ORCHESTRATION: OrderSagaOrchestrator.resume,
    SagaStyle.CHOREOGRAPHY: choreography.resume,
}


def due(limit: int) -> list[SagaInstance]:
    """Sagas that somebody should drive on, at rest or not, those first that are due longest."""
    untold = Event.objects.filter(delivered_at=None).values("aggregate_id")
    under_way = SagaInstance.objects.filter(status__in=UNFINISHED)
    not_all_told = SagaInstance.objects.filter(order_id__in=untold)
    both = _due_among(under_way).union(_due_among(not_all_told))
    oldest = [pk for _, pk in both.order_by("since")[:limit]]  # type: ignore[misc]
    found = SagaInstance.objects.in_bulk(oldest)
    return [found[pk] for pk in oldest]


def recover(saga: SagaInstance, should_stop: ShouldStop = never) -> bool:
    """Claim the saga and drive it on, unless somebody else was faster; returns whether it was ours.

    What goes wrong is this saga's own trouble: it stands in the log, and the saga waits before it is tried again.
    """
    if not claim(saga):
        return False
    try:
        RESUME[saga.saga_type](saga, should_stop)
    except Exception as error:
        wait_after_error(saga, error)
    return True


def retry_saga(order_id: UUID, should_stop: ShouldStop = never) -> SagaInstance:
    """Drive a waiting saga on, without waiting any longer; one at rest stays as it is.

    Raises SagaNotFound, SagaRunning while somebody else drives it, and SagaAbandoned.
    """
    saga = find_saga(order_id)
    if saga.is_finished:
        return saga
    seize(saga)
    return drive(saga, should_stop)


def resume_saga(order_id: UUID, should_stop: ShouldStop = never) -> SagaInstance:
    """Drive an abandoned saga on, in the direction that it had; any other stays as it is. Raises SagaNotFound."""
    saga = find_saga(order_id)
    if saga.given_up_at is None:
        return saga
    seize(saga, abandoned=True)
    return drive(saga, should_stop)


def seize(saga: SagaInstance, *, abandoned: bool = False) -> None:
    """Claim a saga for a person, without waiting any longer; an abandoned one only if `abandoned`.

    Raises SagaRunning while somebody else drives it, and SagaAbandoned.
    """
    if claim(saga, early=True, abandoned=abandoned):
        return
    saga.refresh_from_db()
    if saga.given_up_at:
        raise SagaAbandoned(order_id=str(saga.order_id), reason=saga.attention)
    raise SagaRunning(order_id=str(saga.order_id))


def drive(saga: SagaInstance, should_stop: ShouldStop = never) -> SagaInstance:
    """Drive on a saga that a person has claimed. After an unforeseen error it waits, and its attention says why."""
    try:
        return RESUME[saga.saga_type](saga, should_stop)
    except Exception as error:
        return wait_after_error(saga, error, attention_after=ONCE)


def wait_after_error(saga: SagaInstance, error: Exception, attention_after: int | None = None) -> SagaInstance:
    """Have a saga wait whose driving has broken off: the error stands in the log. Only for who has claimed it."""
    logger.error("saga %s of order %s broken off", saga.pk, saga.order_id, exc_info=error)
    close_old_connections()
    with suppress(LeaseLost):
        durable(wait)(saga, f"{type(error).__name__}: see the log", attention_after=attention_after)
    saga.refresh_from_db()
    return saga


def _due_among(sagas: QuerySet[SagaInstance]) -> QuerySet[SagaInstance, tuple[object, UUID]]:
    return sagas.filter(is_due()).annotate(since=DUE_SINCE).values_list("since", "pk")
