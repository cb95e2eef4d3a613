"""Who may drive a saga: the holder of its lease, which runs by the database's clock.

Each acquisition increments the lease's fence. A driver writes its saga only where the fence is still its own, and
extends the lease with every write. A driver that finds another fence has lost the lease: it rolls back and stops.
"""

import os
import socket
from datetime import datetime, timedelta
from functools import lru_cache
from threading import get_native_id
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import DateTimeField, Exists, F, OuterRef, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest

from cloudmart.database.clock import DatabaseNow, database_now, from_now
from cloudmart.database.transactions import durable, joining
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.kernel.text import LONGEST_REASON, storable
from sagas.engine.causes import Cause
from sagas.engine.waiting import request_attention
from sagas.errors import LeaseLost, SagaAbandoned, SagaRunning
from sagas.models import UNFINISHED, Event, SagaInstance, State

NO_LEASE: dict[str, Any] = {"owner": "", "lease_until": None}
"""The columns of a saga that nobody drives."""

DUE_SINCE = Coalesce("wake_at", "lease_until", "updated_at", output_field=DateTimeField())
"""Since when a due saga has been due."""

LONGEST_HOST = 32

MAX_DOUBLINGS = 4
"""A saga whose driver died is free again after at most sixteen times LEASE."""

DIED = "Its driver stopped without releasing the lease."


def shortened(host: str) -> str:
    """Returns the name of a machine or container in at most 32 characters.

    Of a longer name both ends stay: machines of one domain differ at the beginning, pods of one deployment at the end.
    """
    return host if len(host) <= LONGEST_HOST else f"{host[:15]}~{host[-16:]}"


HOST = shortened(socket.gethostname())


def lease(doublings: int = 0) -> dict[str, Any]:
    """Returns the columns of a saga whose lease this thread acquires, for LEASE seconds, doubled so many times."""
    until = from_now(settings.LEASE * 2 ** min(doublings, MAX_DOUBLINGS))
    return {"owner": _driver(), "lease_until": until, "wake_at": None, "abandoned_at": None}


def extended_lease() -> dict[str, Any]:
    """Returns the columns that change when the holder extends its lease. A longer lease is not shortened."""
    return {"owner": _driver(), "lease_until": _extended(settings.LEASE)}


@lru_cache
def _extended(duration: timedelta) -> Combinable:
    until = from_now(duration)
    return Greatest(Coalesce("lease_until", until), until)


def new_saga(order: OrderSnapshot, idempotency_scope: str) -> SagaInstance:
    """Returns the unsaved saga of a new order, leased to this thread."""
    saga = SagaInstance(
        saga_type=order.saga_style,
        order_id=order.order_id,
        payload=order.as_json(),
        idempotency_scope=idempotency_scope,
        fence=1,
        deadline_at=from_now(settings.SAGA_DEADLINE),
        **lease(),
    )
    saga.order = order
    return saga


def is_free() -> Q:
    """Sagas that nobody drives."""
    return Q(lease_until=None) | Q(lease_until__lte=DatabaseNow())


def is_waiting() -> Q:
    """Sagas that nobody drives and no operator has abandoned, whether they are due or not."""
    return is_free() & Q(abandoned_at=None)


def is_due() -> Q:
    """Sagas that a worker may drive now."""
    return is_waiting() & (Q(wake_at=None) | Q(wake_at__lte=DatabaseNow()))


LATE = Q(deadline_at__lte=DatabaseNow())
"""Sagas past their deadline."""


def has_work_left() -> Q:
    """Sagas that are not finished, or have an event that is not delivered."""
    undelivered = Event.objects.filter(aggregate_id=OuterRef("order_id"), delivered_at=None)
    return Q(status__in=UNFINISHED) | Q(Exists(undelivered))


@joining
def acquire(saga: SagaInstance, *, early: bool = False, abandoned: bool = False) -> bool:
    """Acquires the lease of a saga that nobody drives and that has work left. Returns True if acquired.

    Then refreshes `saga`. Another driver that has held the lease since `saga` was read makes it False. A waiting saga
    is acquired before its time only if `early`: for an operator. An abandoned one is acquired only if `abandoned`,
    which implies `early`. After a lease that expired on its driver the next one is longer, by the saga's attempts: the
    driver may have been waiting for a slow provider, and the next one would lose the same lease too.
    """
    early = early or abandoned
    allowed = is_free() if abandoned else is_waiting() if early else is_due()
    free = SagaInstance.objects.filter(allowed, has_work_left(), pk=saga.pk, fence=saga.fence)
    has_died = saga.lease_until is not None
    changes: dict[str, Any] = {"attention": None} if early else {}
    changes |= lease(doublings=saga.attempts + 1 if has_died else 0)
    attempts = F("attempts") + has_died
    if not free.update(**changes, fence=F("fence") + 1, attempts=attempts, updated_at=DatabaseNow()):
        return False
    saga.refresh_from_db()
    if has_died and saga.attempts >= settings.ATTENTION_AFTER:
        request_attention(saga, Cause.DRIVER_DIED, DIED, saga.attempts)
    return True


def acquire_for_operator(saga: SagaInstance, *, abandoned: bool = False) -> None:
    """Acquires the lease of a saga, waiting or due; of an abandoned one only if `abandoned`.

    Raises SagaRunning if another driver holds the lease, and SagaAbandoned.
    """
    if acquire(saga, early=True, abandoned=abandoned):
        return
    saga.refresh_from_db()
    raise lease_refusal(saga, database_now(), abandoned=abandoned) or SagaRunning(order_id=str(saga.order_id))


def lease_refusal(saga: SagaInstance, now: datetime, *, abandoned: bool = False) -> SagaAbandoned | SagaRunning | None:
    """Returns why an operator cannot acquire the lease of an unfinished saga; None if they can."""
    if saga.abandoned_at and not abandoned:
        return SagaAbandoned(order_id=str(saga.order_id), reason=saga.attention)
    return SagaRunning(order_id=str(saga.order_id)) if is_driven(saga, now) else None


def is_driven(saga: SagaInstance, now: datetime) -> bool:
    """Returns True if a driver holds the lease at this time."""
    return saga.lease_until is not None and saga.lease_until > now


@durable
def extend(saga: SagaInstance) -> None:
    """Extends the lease during a provider call. Raises LeaseLost."""
    if not SagaInstance.objects.filter(pk=saga.pk, fence=saga.fence).update(**extended_lease()):
        raise LeaseLost(str(saga.pk))


def release(saga: SagaInstance, **changes: Any) -> None:
    """Releases the lease in the open transaction, with these changes of columns. Raises LeaseLost."""
    held = SagaInstance.objects.filter(pk=saga.pk, fence=saga.fence)
    if not held.update(**NO_LEASE, **changes, updated_at=DatabaseNow()):
        raise LeaseLost(str(saga.pk))


def request_cancellation(order_id: UUID, reason: str, actor: str, **changes: Any) -> bool:
    """Stores the request on a saga that goes forward: its next transaction compensates. Returns False for any other.

    The first request counts: a later one changes neither reason nor actor.
    """
    request = {"cancel_reason": storable(reason, LONGEST_REASON), "cancelled_by": actor}
    columns = {name: Coalesce(name, Value(value)) for name, value in request.items()}
    unfinished = SagaInstance.objects.filter(order_id=order_id, status__in=UNFINISHED)
    return bool(unfinished.exclude(status=State.COMPENSATION_STARTED).update(**columns, **changes))


def _driver() -> str:
    """Returns the name of this thread: host, process and thread id."""
    return f"{HOST}:{os.getpid()}:{get_native_id()}"
