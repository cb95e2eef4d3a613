"""Which worker sends what to which endpoint: one at a time, the holder of the endpoint's lease.

The lease runs by the database's clock. Each acquisition increments the endpoint's fence: a worker whose lease has
expired, and whose endpoint another one has acquired since, stores nothing.

The deliveries of one subject are sent in the order of their positions: one that waits for its next attempt delays the
later ones of its subject, and no other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from structlog import get_logger

from cloudmart.database.clock import NOW, READ_AT, DatabaseNow, from_now
from cloudmart.database.prepared import Insert, Update, UpdateEach
from cloudmart.database.transactions import durable
from cloudmart.kernel.backoff import backoff
from cloudmart.kernel.text import LONGEST_ERROR, storable
from cloudmart.webhooks.endpoints import GONE, SILENT, disable, fail_pending
from cloudmart.webhooks.models import (
    LONGEST_RESPONSE,
    DeliveryStatus,
    EndpointStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from cloudmart.webhooks.responses import Answer
from cloudmart.webhooks.waits import end_waits_of_deliveries, lease

logger = get_logger(__name__)

BATCH = 100
"""Deliveries to one endpoint that are sent under one lease, and stored in one transaction."""
LONGEST_CHAINS = 1000
"""Pending deliveries of their subjects that are read for that."""

NEXT_FENCE = F("fence") + 1
INSERT_ATTEMPTS = Insert(WebhookAttempt)
ACCEPTED = Update(lambda pks: WebhookDelivery.objects.filter(pk__in=pks))
STORE = UpdateEach(WebhookDelivery, "status", "attempts", "due_at", "updated_at")
ONE_MORE = F("attempts") + 1

Chain = list[WebhookDelivery]
"""Due deliveries of one subject, in their order."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a worker sends to the endpoint whose lease it holds."""

    endpoint: Any
    """As it was at the acquisition, with `read_at`."""
    chains: list[Chain]


Attempted = tuple[WebhookDelivery, Answer]


def due_deliveries() -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING, due_at__lte=NOW)


def due_endpoints(limit: int) -> list[WebhookEndpoint]:
    """Returns enabled endpoints with due deliveries whose lease no worker holds, and whose wait is over.

    Those come first that do not fail.
    """
    has_due = Exists(due_deliveries().filter(endpoint=OuterRef("pk")))
    due = WebhookEndpoint.objects.filter(has_due, status=EndpointStatus.ENABLED, due_at__lte=NOW)
    return list(due.order_by("failures", "due_at")[:limit])


def acquire(endpoint: WebhookEndpoint) -> Batch | None:
    """Acquires the lease of a due endpoint. Returns None if another worker was faster."""
    if not _acquire(endpoint):
        return None
    acquired = WebhookEndpoint.objects.annotate(**READ_AT).get(pk=endpoint.pk)
    chains = _chains(acquired)
    if acquired.failures:
        chains = [chain[:1] for chain in chains[:1]]
    return Batch(acquired, _with_bodies(chains))


@durable
def _acquire(endpoint: WebhookEndpoint) -> bool:
    free = WebhookEndpoint.objects.filter(
        pk=endpoint.pk, status=EndpointStatus.ENABLED, due_at__lte=NOW, fence=endpoint.fence
    )
    return bool(free.update(due_at=from_now(lease()), fence=NEXT_FENCE))


def _chains(endpoint: WebhookEndpoint) -> list[Chain]:
    """Returns what is due, at most BATCH deliveries. Those that wait for an earlier one get its `due_at`."""
    due = due_deliveries().filter(endpoint=endpoint).order_by("due_at")
    subjects = dict.fromkeys(due.values_list("subject", flat=True)[:BATCH])
    pending: dict[str, Chain] = defaultdict(list)
    rows = WebhookDelivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING, subject__in=subjects)
    for delivery in rows.annotate(**READ_AT).defer("body").order_by("position", "pk")[:LONGEST_CHAINS]:
        pending[delivery.subject].append(delivery)
    chains, number = [], 0
    for subject in subjects:
        chain = list(takewhile(_is_due, pending[subject]))[: BATCH - number]
        if chain:
            chains.append(chain)
            number += len(chain)
        elif number < BATCH and pending[subject]:
            _wait_for(pending[subject][0])
    return chains


def _is_due(delivery: Any) -> bool:
    return bool(delivery.due_at <= delivery.read_at)


@durable
def _wait_for(first: WebhookDelivery) -> None:
    """Has the later deliveries of a subject wait as long as its first one."""
    later = WebhookDelivery.objects.filter(
        endpoint=first.endpoint_id, subject=first.subject, status=DeliveryStatus.PENDING, due_at__lt=first.due_at
    )
    later.update(due_at=first.due_at)


def _with_bodies(chains: list[Chain]) -> list[Chain]:
    found = WebhookDelivery.objects.in_bulk([delivery.pk for chain in chains for delivery in chain])
    return [[found[delivery.pk] for delivery in chain if delivery.pk in found] for chain in chains]


# --- How it has ended -----------------------------------------------------------------------------


@durable
def store(endpoint: WebhookEndpoint, attempted: Collection[Attempted]) -> bool:
    """Stores what the endpoint has answered, and releases its lease. Returns False if the lease was lost meanwhile."""
    rows: Any = WebhookEndpoint.objects.select_for_update().annotate(**READ_AT)
    held = rows.filter(pk=endpoint.pk, fence=endpoint.fence).first()
    if held is None:
        return False
    is_accepted = any(answer.is_accepted for _, answer in attempted)
    if is_accepted and held.failures:
        end_waits_of_deliveries(held.pk)  # it accepts webhooks again
    _store_deliveries(held, attempted)
    _release(held, [answer for _, answer in attempted])
    return True


def _store_deliveries(endpoint: Any, attempted: Iterable[Attempted]) -> None:
    """Stores the attempts, and what follows from them. After an endpoint was disabled, its deliveries stay failed."""
    INSERT_ATTEMPTS(*[_attempt(delivery, answer) for delivery, answer in attempted])
    if accepted := [delivery.pk for delivery, answer in attempted if answer.is_accepted]:
        now, delivered = endpoint.read_at, DeliveryStatus.DELIVERED
        ACCEPTED(pks=accepted).set(status=delivered, attempts=ONE_MORE, delivered_at=now, updated_at=now)
    for delivery, answer in attempted:
        if not answer.is_accepted:
            _store_failure(endpoint, delivery, answer)


def _store_failure(endpoint: Any, delivery: WebhookDelivery, answer: Answer) -> None:
    delivery.attempts += 1
    delivery.updated_at = endpoint.read_at
    if endpoint.status == EndpointStatus.DISABLED or delivery.retry_until <= endpoint.read_at:
        delivery.status = DeliveryStatus.FAILED
    else:
        delivery.due_at = endpoint.read_at + _wait(delivery.attempts, answer)
    STORE(delivery)


def _wait(attempts: int, answer: Answer) -> timedelta:
    """Returns how long to wait after so many failures; not less than the endpoint asks, within WEBHOOK_MAX_BACKOFF."""
    longest = settings.WEBHOOK_MAX_BACKOFF
    return max(backoff(attempts, settings.WEBHOOK_BACKOFF, longest), min(answer.retry_after, longest))


def _attempt(delivery: WebhookDelivery, answer: Answer) -> WebhookAttempt:
    return WebhookAttempt(
        delivery_id=delivery.pk,
        at=answer.at,
        milliseconds=answer.milliseconds,
        status_code=answer.status_code,
        response=storable(answer.response, LONGEST_RESPONSE),
        error=storable(answer.error, LONGEST_ERROR),
    )


def _release(endpoint: Any, answers: list[Answer]) -> None:
    """Stores how the endpoint is doing, and when a worker may send to it. Disables it if it is gone, or silent."""
    now: datetime = endpoint.read_at
    endpoint.due_at = now
    if any(answer.is_accepted for answer in answers):
        endpoint.failures, endpoint.failing_since = 0, None
    elif answers:
        endpoint.failing_since = endpoint.failing_since or now
    if asked := max(answers, key=attrgetter("retry_after"), default=None):
        endpoint.due_at = now + min(asked.retry_after, settings.WEBHOOK_MAX_BACKOFF)
    if answers and not any(answer.is_accepted or answer.is_refusal for answer in answers):
        endpoint.failures += 1
        endpoint.due_at = max(endpoint.due_at, now + _wait(endpoint.failures, answers[0]))
    state = {name: getattr(endpoint, name) for name in ("due_at", "failures", "failing_since")}
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**state)
    if endpoint.status == EndpointStatus.ENABLED and (reason := _reason_to_disable(endpoint, answers)):
        disable(endpoint, reason)
        logger.warning("webhook endpoint disabled", endpoint=str(endpoint.pk), reason=reason)


def _reason_to_disable(endpoint: Any, answers: list[Answer]) -> str:
    """Returns "" while the endpoint stays enabled."""
    if any(answer.is_gone for answer in answers):
        return GONE
    since = endpoint.failing_since
    return SILENT if since and since <= endpoint.read_at - settings.WEBHOOK_RETRY_FOR else ""


# --- The log --------------------------------------------------------------------------------------


@durable
def delete_old(limit: int) -> int:
    """Deletes deliveries recorded more than WEBHOOK_RETENTION ago, with their attempts, at most `limit`.

    Those that are pending, because they were resent, are deleted later. Returns how many.
    """
    concluded = WebhookDelivery.objects.exclude(status=DeliveryStatus.PENDING)
    oldest = concluded.order_by("pk").values_list("pk", "created_at", DatabaseNow())[:limit]
    old: list[UUID] = [pk for pk, created_at, now in oldest if created_at < now - settings.WEBHOOK_RETENTION]
    WebhookAttempt.objects.filter(delivery__in=old).delete()
    return WebhookDelivery.objects.filter(pk__in=old).delete()[1].get(WebhookDelivery._meta.label, 0)


@durable
def fail_stranded() -> int:
    """Has deliveries fail that were recorded while their endpoint was being disabled. Returns how many."""
    disabled = WebhookEndpoint.objects.filter(status=EndpointStatus.DISABLED).values_list("pk", flat=True)
    return fail_pending(WebhookDelivery.objects.filter(endpoint__in=list(disabled)))


def is_late() -> Q:
    """Of deliveries that are due, while no worker has sent to their endpoint for longer than one takes."""
    then = DatabaseNow() - settings.AUDIT_GRACE
    left = WebhookEndpoint.objects.filter(status=EndpointStatus.ENABLED, due_at__lte=then).values("pk")
    return Q(status=DeliveryStatus.PENDING, endpoint__in=left, due_at__lte=then)
