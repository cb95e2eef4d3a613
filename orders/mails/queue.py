"""Who sends which mail: a worker that holds the mail's lease, which runs by the database's clock.

Each acquisition increments the mail's fence. A worker whose lease has expired, and whose mail another one has acquired
since, stores nothing of its attempt. A resend increments it too: a worker that read the mail before it does not know
its new Message-ID, and does not acquire it.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet

from cloudmart.database.clock import DatabaseNow, from_now
from cloudmart.database.states import move_all
from cloudmart.database.transactions import durable
from cloudmart.kernel.backoff import backoff
from cloudmart.kernel.sharing import ALONE, Share, itself
from cloudmart.kernel.text import LONGEST_ERROR, storable
from orders.models import Mail, MailStatus

ONE_MORE = F("resends") + 1
NEXT_FENCE = F("fence") + 1
IS_LAST = ExpressionWrapper(Q(retry_until__lte=DatabaseNow()), BooleanField())


def is_due() -> Q:
    """Pending mails whose lease no worker holds, and whose wait is over."""
    return Q(status=MailStatus.PENDING, due_at__lte=DatabaseNow())


def due_mails() -> QuerySet[Mail]:
    """Returns the mails to try now. The mails of one order are sent one after another, in their order."""
    return not_waiting(Mail.objects.filter(is_due()))


def not_waiting(mails: QuerySet[Mail]) -> QuerySet[Mail]:
    """Returns those of these mails for which no earlier mail of the same order is pending."""
    earlier = Mail.objects.filter(
        order=OuterRef("order"), status=MailStatus.PENDING, created_at__lt=OuterRef("created_at")
    )
    return mails.exclude(Exists(earlier))


def due(limit: int, share: Share = ALONE) -> list[Mail]:
    """Returns the due mails of this share with their orders and customers, those that have been due longest first.

    Each knows whether the next attempt `is_last`.
    """
    oldest = list(due_mails().order_by("due_at").values_list("pk", flat=True)[: share.window(limit)])
    found = Mail.objects.prefetch_related("order__customer").annotate(is_last=IS_LAST)
    return list(found.filter(pk__in=share.of(oldest, limit, key=itself)).order_by("due_at"))


@durable
def acquire(mail: Mail) -> bool:
    """Acquires the lease of a due mail for MAIL_LEASE. Returns False if another worker was faster."""
    lease = {"due_at": from_now(settings.MAIL_LEASE), "fence": NEXT_FENCE, "attempts": F("attempts") + 1}
    if not Mail.objects.filter(is_due(), pk=mail.pk, fence=mail.fence).update(**lease, updated_at=DatabaseNow()):
        return False
    mail.fence, mail.attempts = mail.fence + 1, mail.attempts + 1
    return True


def conclude(mail: Mail, status: MailStatus, error: str = "", **columns: Any) -> bool:
    """Stores how the attempt at an acquired mail has ended. Returns False if the lease was lost meanwhile."""
    return _store(mail, status=status, error=storable(error, LONGEST_ERROR), **columns)


def postpone(mail: Mail, error: str) -> bool:
    """Has an acquired mail wait for another attempt. Returns False as above."""
    then = DatabaseNow() + backoff(mail.attempts, settings.MAIL_BACKOFF, settings.MAIL_MAX_BACKOFF)
    return _store(mail, due_at=then, error=storable(error, LONGEST_ERROR))


@durable
def resend(mail_id: UUID) -> None:
    """Has a mail sent again that was sent, has failed, or had no address. Raises IllegalMove while it is pending."""
    reset = {"due_at": DatabaseNow(), "retry_until": from_now(settings.MAIL_RETRY_FOR), "attempts": 0, "error": ""}
    move_all(Mail, [mail_id], MailStatus.PENDING, resends=ONE_MORE, fence=NEXT_FENCE, **reset)


@durable
def delete_old(limit: int) -> int:
    """Deletes mails recorded more than MAIL_RETENTION ago, at most `limit`. Returns how many."""
    oldest = list(Mail.objects.order_by("pk").values_list("pk", flat=True)[:limit])
    old = Mail.objects.filter(pk__in=oldest, created_at__lt=DatabaseNow() - settings.MAIL_RETENTION)
    deleted, _ = old.delete()
    return deleted


@durable
def _store(mail: Mail, **columns: Any) -> bool:
    held = Mail.objects.filter(pk=mail.pk, fence=mail.fence, status=MailStatus.PENDING)
    return bool(held.update(**columns, updated_at=DatabaseNow()))
