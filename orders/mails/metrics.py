"""Metrics of mails: attempts as they are made, and the unsent ones, read from the database at each scrape."""

from collections.abc import Iterable

from django.db.models import Count, F
from prometheus_client import Counter, Metric
from prometheus_client.registry import Collector

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.metrics import READ_AT_SCRAPE, gauge_read_at_scrape, harmless
from orders.mails.queue import due_mails
from orders.models import Mail, MailStatus, Outcome

ATTEMPTS = Counter(
    "cloudmart_mail_attempts",
    "Attempts to send a mail, by how they ended: sent, failed (for good), pending (to be repeated) or no_address.",
    ["outcome", "status"],
)
UNSENT = [MailStatus.PENDING, MailStatus.FAILED]
"""Mails without an address are not counted: nothing is wrong with them, and there may be many."""


@harmless
def count_attempt(outcome: str, status: str) -> None:
    ATTEMPTS.labels(outcome, status).inc()


class UnsentMails(Collector):
    def collect(self) -> Iterable[Metric]:
        unsent = gauge_read_at_scrape(
            "cloudmart_unsent_mails",
            "Mails that are pending or have failed.",
            labels=["outcome", "status"],
        )
        rows = Mail.objects.filter(status__in=UNSENT).values_list("outcome", "status").annotate(number=Count("pk"))
        found = {(outcome, status): number for outcome, status, number in rows}
        for outcome in Outcome.values:
            for status in UNSENT:
                unsent.add_metric([outcome, status], found.get((outcome, status), 0))
        lag = gauge_read_at_scrape(
            "cloudmart_mail_lag_seconds", "How long the mail has been due that has been due longest.", lag_seconds()
        )
        return unsent, lag


def lag_seconds() -> float:
    """Returns 0 if nothing is due."""
    lags = due_mails().order_by("due_at").annotate(lag=DatabaseNow() - F("due_at")).values_list("lag", flat=True)
    longest = lags.first()
    return max(0.0, longest.total_seconds()) if longest else 0.0


READ_AT_SCRAPE.register(UnsentMails())
