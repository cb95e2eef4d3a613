"""Who runs which order of a batch: a worker that holds the item's lease, which runs by the database's clock.

Each acquisition increments the item's fence. A worker whose lease has expired, and whose item another one has acquired
since, stores no result.
"""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Q
from django.utils.translation import get_language

from cloudmart.database.clock import DatabaseNow, from_now
from cloudmart.database.transactions import durable
from cloudmart.kernel.sharing import ALONE, Share
from cloudmart.kernel.text import LONGEST_ERROR, storable
from sagas.batches import Batch, BatchItem
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.reports import Report

LEASE = timedelta(minutes=2)
"""Longer than one order takes, with its provider calls: a worker that dies delays its order for so long."""

PENDING = ""
"""The result of an item that has none yet."""


@durable
def store(batch_id: UUID, command: DeskCommand, order_ids: Collection[UUID], actor: str, reason: str) -> None:
    """Stores the batch. A second call with the same id changes nothing."""
    batch, is_new = Batch.objects.get_or_create(
        pk=batch_id, defaults={"command": command, "actor": actor, "reason": reason, "language": get_language() or ""}
    )
    if is_new:
        BatchItem.objects.bulk_create(BatchItem(batch=batch, order_id=order_id) for order_id in order_ids)


def is_due() -> Q:
    """Pending items whose lease no worker holds."""
    return Q(result=PENDING, due_at__lte=DatabaseNow())


def due(limit: int, share: Share = ALONE) -> list[BatchItem]:
    """Returns the due items of this share with their batches, those that have been due longest first."""
    items = BatchItem.objects.filter(is_due()).select_related("batch").order_by("due_at", "pk")
    return share.of(list(items[: share.window(limit)]), limit)


@durable
def acquire(item: BatchItem) -> bool:
    """Acquires the lease of a due item. Returns False if another worker was faster."""
    free = BatchItem.objects.filter(is_due(), pk=item.pk, fence=item.fence)
    if not free.update(due_at=from_now(LEASE), fence=F("fence") + 1):
        return False
    item.fence += 1
    return True


@durable
def conclude(item: BatchItem, report: Report) -> bool:
    """Stores what has become of an acquired item. Returns False if the lease was lost meanwhile."""
    held = BatchItem.objects.filter(pk=item.pk, fence=item.fence, result=PENDING)
    text = storable(report.text, LONGEST_ERROR)
    return bool(held.update(result=report.result, text=text, ended_at=DatabaseNow()))


def counts_of(batch: Batch) -> dict[str, int]:
    """Returns how many items of the batch have each result; PENDING are those without one."""
    return dict(batch.items.order_by().values_list("result").annotate(Count("pk")))


@durable
def delete_old(limit: int) -> int:
    """Deletes batches that are older than MAIL_RETENTION, at most `limit`. Returns how many."""
    oldest = list(Batch.objects.order_by("pk").values_list("pk", flat=True)[:limit])
    old = Batch.objects.filter(pk__in=oldest, created_at__lt=DatabaseNow() - settings.MAIL_RETENTION)
    deleted = list(old.values_list("pk", flat=True))
    old.delete()
    return len(deleted)
