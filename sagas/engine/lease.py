"""Who may drive a saga now: whoever holds its lease, which runs by the database's clock.

Every lease has a number, the fence. Whatever a driver writes on its saga, it writes only where its own fence still is
the newest, and prolongs its lease with it. Whoever finds another fence there was overtaken: it rolls back, and leaves.
"""

import os
import random
import socket
from datetime import timedelta
from threading import get_native_id
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, DateTimeField, Exists, F, OuterRef, Q, When
from django.db.models.functions import Coalesce, Greatest, Least

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable, joining
from cloudmart.kernel.order import OrderSnapshot
from cloudmart.kernel.text import LONGEST_REASON, storable
from sagas.errors import LeaseLost
from sagas.locks import lock_saga
from sagas.models import UNFINISHED, Event, SagaInstance

NO_LEASE: dict[str, Any] = {"owner": "", "lease_until": None}
"""The columns of a saga that nobody drives."""

PROGRESS: dict[str, Any] = {"attempts": 0, "attention": None}
"""The columns that change when a saga has come further: all is well again."""

DUE_SINCE = Coalesce("wake_at", "lease_until", "updated_at", output_field=DateTimeField())
"""Since when a saga that is due has been so."""

MOST_DOUBLINGS = 4
"""Of a lease: no saga stays with a driver who has died for longer than sixteen leases."""

ONCE = 1
"""Try in vain after which a saga calls for attention that a person drives."""

DIED = "Whoever drove it ended without a word"


def lease(deaths: int = 0) -> dict[str, Any]:
    """The columns of a saga that is leased to this thread from now on.

    Each time that its driver was taken for dead the lease is twice as long, up to a limit: he may have been waiting
    for a slow provider, and the next one would be taken for dead in his turn, and so on for ever.
    """
    driver = f"{socket.gethostname()[:32]}:{os.getpid()}:{get_native_id()}"
    until = DatabaseNow() + settings.LEASE * 2 ** min(deaths, MOST_DOUBLINGS)
    return {"owner": driver, "lease_until": until, "wake_at": None, "given_up_at": None}


def prolonged() -> dict[str, Any]:
    """The column that changes when a driver goes on."""
    then = DatabaseNow() + settings.LEASE
    return {"lease_until": Greatest(Coalesce("lease_until", then), then)}


def new_saga(order: OrderSnapshot, answers_key: str) -> SagaInstance:
    """The saga of an order that is about to be written, leased to whoever writes it; not saved."""
    return SagaInstance(
        saga_type=order.saga_style,
        order_id=order.order_id,
        payload=order.as_json(),
        answers_key=answers_key,
        fence=1,
        deadline_at=DatabaseNow() + settings.SAGA_DEADLINE,
        **lease(),
    )


def is_free() -> Q:
    """Sagas that nobody drives."""
    return Q(lease_until=None) | Q(lease_until__lte=DatabaseNow())


def is_waiting() -> Q:
    """Sagas that nobody drives and no operator has abandoned, whether they are due or not."""
    return is_free() & Q(given_up_at=None)


def is_due() -> Q:
    """Sagas that nobody drives, and that wait for nothing any more, nor for anybody."""
    return is_waiting() & (Q(wake_at=None) | Q(wake_at__lte=DatabaseNow()))


def is_late() -> Q:
    """Sagas that should have ended by now."""
    return Q(deadline_at__lte=DatabaseNow())


def is_unfinished() -> Q:
    """Sagas that are under way, or that rest while not everybody knows of it."""
    untold = Event.objects.filter(aggregate_id=OuterRef("order_id"), delivered_at=None)
    return Q(status__in=UNFINISHED) | Q(Exists(untold))


@joining
def claim(saga: SagaInstance, *, early: bool = False, abandoned: bool = False) -> bool:
    """Take the lease of an unfinished saga that nobody drives; whether that came about. `saga` is as it stands then.

    One that waits is not taken before its time, unless `early`: a person is looking then. An abandoned one is taken
    only if `abandoned`, which implies `early`.
    """
    early = early or abandoned
    allowed = is_free() if abandoned else is_waiting() if early else is_due()
    free = SagaInstance.objects.filter(allowed, is_unfinished(), pk=saga.pk)
    has_died = saga.lease_until is not None
    attempts = F("attempts") + has_died
    seen = {"attention": None} if early else {}
    mine = lease(deaths=saga.attempts + 1 if has_died else 0)
    if not free.update(**mine, **seen, fence=F("fence") + 1, attempts=attempts, updated_at=DatabaseNow()):
        return False
    saga.refresh_from_db()
    if has_died and saga.attempts >= settings.ATTENTION_AFTER:
        _call_for_attention(saga, DIED, saga.attempts)
    return True


@durable
def prolong(order_id: UUID, fence: int) -> None:
    """Say that this driver is still at it. Raises LeaseLost."""
    if not SagaInstance.objects.filter(order_id=order_id, fence=fence).update(**prolonged()):
        raise LeaseLost(str(order_id))


def give_up(saga: SagaInstance, **changes: Any) -> None:
    """Once this transaction has committed, anybody may drive the saga, changed like this. Raises LeaseLost."""
    mine = SagaInstance.objects.filter(pk=saga.pk, fence=saga.fence)
    if not mine.update(**NO_LEASE, **changes, updated_at=DatabaseNow()):
        raise LeaseLost(str(saga.pk))


def wait(saga: SagaInstance, why: str, *, unless: Q | None = None, attention_after: int | None = None) -> None:
    """Give the saga up until it is worth another try, and call for a person after a number of these.

    That number is `attention_after`, or ATTENTION_AFTER.

    Each time it waits for twice as long, up to a limit; a part of that is random, so that what failed together does
    not come back together. It does not sleep past its deadline, nor at all where `unless` holds. One that has come to
    its end after all stays as it is. Raises LeaseLost.
    """
    tries = lock_saga(saga.order_id, saga.fence).attempts + 1
    if not SagaInstance.objects.filter(is_unfinished(), pk=saga.pk).exists():
        return
    then = DatabaseNow() + pause_after(tries)
    at_once = [When(unless, then=DatabaseNow())] if unless else []
    before_deadline = When(deadline_at__gt=DatabaseNow(), then=Least(then, "deadline_at"))
    give_up(saga, attempts=tries, wake_at=Case(*at_once, before_deadline, default=then))
    if tries >= (attention_after or settings.ATTENTION_AFTER):
        _call_for_attention(saga, why, tries)


def pause_after(tries: int) -> timedelta:
    """How long a saga waits that was tried so often in vain."""
    longest = min(settings.SAGA_BACKOFF * 2 ** min(tries - 1, 30), settings.SAGA_MAX_BACKOFF)
    return longest * random.uniform(0.5, 1)


def _call_for_attention(saga: SagaInstance, why: str, tries: int) -> None:
    how_often = "once" if tries == 1 else f"{tries} times"
    attention = storable(f"Tried {how_often} in vain. {why}", LONGEST_REASON)
    SagaInstance.objects.filter(pk=saga.pk).update(attention=attention)
