"""Intents that no saga drives: a direct command stored them, and its process died before it knew their outcome.

A client may repeat the command. A worker resumes an intent that has not been written for STALE_INTENT.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import close_old_connections
from django.db.models import Exists, OuterRef, Q
from structlog.contextvars import bound_contextvars

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.invariants import Rows
from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.sharing import Share, alone
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.providers.calling import perform
from cloudmart.providers.unsettled import Found, Unsettled
from payments.unsettled import UNSETTLED as PAYMENTS
from sagas.errors import SagaRunning
from sagas.models import UNFINISHED, SagaInstance
from sagas.operations.guards import check_saga_finished
from shipping.unsettled import UNSETTLED as PARCELS

logger = logging.getLogger(__name__)

KINDS = (*PAYMENTS, *PARCELS)
BATCH = 20


def outside_sagas(rows: Rows, kind: Unsettled) -> Rows:
    """Returns those of these intents whose order has no unfinished saga."""
    saga = SagaInstance.objects.filter(order_id=OuterRef(kind.order_id), status__in=UNFINISHED)
    return rows.exclude(Exists(saga))


def neglected(rows: Rows, kind: Unsettled, since: timedelta) -> Rows:
    """Returns those of them that have not been written for so long."""
    return outside_sagas(rows, kind).filter(_untouched(since))


def stale(kind: Unsettled) -> Rows:
    """Returns the intents of this kind that a worker has to resume."""
    return neglected(kind.rows(), kind, settings.STALE_INTENT)


def resume_stale(should_stop: ShouldStop = never, share: Callable[[], Share] = alone) -> int:
    """Resumes every stale intent, one by one. Returns how many."""
    return sum(_resume_all(kind, should_stop, share) for kind in KINDS)


def resume(kind: Unsettled, found: Found) -> bool:
    """Calls the provider again, with the same key, and stores the outcome. Returns False if another worker does.

    An error is logged. The intent is resumed again once it is stale again.
    """
    if not _touch(kind, found):
        return False
    with bound_contextvars(request_id=str(new_id()), order_id=str(found.order_id)):
        try:
            perform(kind.operation, found, partial(check_saga_finished, found.order_id))
        except SagaRunning:
            logger.info("%s %s is left to the order's saga", kind.words, found.pk)
        except Exception:
            logger.exception("%s %s could not be resumed", kind.words, found.pk)
            close_old_connections()
    return True


def _resume_all(kind: Unsettled, should_stop: ShouldStop, share: Callable[[], Share]) -> int:
    total, some = 0, True
    while some and not should_stop():
        resumed = sum(resume(kind, found) for found in _oldest(kind, share()) if not should_stop())
        total, some = total + resumed, resumed > 0
    return total


def _oldest(kind: Unsettled, share: Share) -> list[Found]:
    rows = stale(kind).order_by("updated_at").values_list("pk", kind.order_id)
    return share.of([Found(*row) for row in rows[: share.window(BATCH)]], BATCH)


@durable
def _touch(kind: Unsettled, found: Found) -> bool:
    """Compare-and-set: the intent is no longer stale, so no other worker resumes it at the same time."""
    is_stale = kind.rows().filter(_untouched(settings.STALE_INTENT), pk=found.pk)
    return bool(is_stale.update(updated_at=DatabaseNow()))


def _untouched(since: timedelta) -> Q:
    return Q(updated_at__lte=DatabaseNow() - since)
