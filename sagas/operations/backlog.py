"""Gauges of unfinished sagas and intents, read from the database at each scrape."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count, Max, Q
from prometheus_client import Metric
from prometheus_client.registry import Collector

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.metrics import READ_AT_SCRAPE, gauge_read_at_scrape
from orders.models import SagaStyle
from sagas.engine.lease import DUE_SINCE, is_due, is_free, is_waiting
from sagas.models import UNFINISHED, SagaInstance
from sagas.operations.stale_intents import KINDS, outside_sagas, stale

CONDITIONS = {
    "driven": Q(lease_until__gt=DatabaseNow()),
    "due": is_due(),
    "waiting": is_waiting() & Q(wake_at__gt=DatabaseNow()),
    "abandoned": is_free() & Q(abandoned_at__isnull=False),
}
"""Every unfinished saga is in exactly one of these."""


class Backlog(Collector):
    def collect(self) -> Iterable[Metric]:
        sagas = gauge_read_at_scrape(
            "cloudmart_unfinished_sagas",
            "Unfinished sagas: driven, due, waiting for a provider, or abandoned.",
            labels=["style", "condition"],
        )
        calling = gauge_read_at_scrape(
            "cloudmart_sagas_calling_for_attention",
            "Unfinished sagas that an operator must look at.",
            labels=["style"],
        )
        found = by_style()
        for style in SagaStyle.values:
            counts = found.get(style, {})
            for condition in CONDITIONS:
                sagas.add_metric([style, condition], counts.get(condition, 0))
            calling.add_metric([style], counts.get("calling", 0))
        lag = gauge_read_at_scrape(
            "cloudmart_saga_lag_seconds",
            "How long the saga has been due that has been due longest.",
            value=lag_seconds(),
        )
        return sagas, calling, lag, *intents()


def intents() -> tuple[Metric, Metric]:
    """Returns how many charges, refunds and parcels have no outcome and no saga that drives them."""
    unsettled = gauge_read_at_scrape(
        "cloudmart_unsettled_intents",
        "Charges, refunds and parcels without an outcome that no saga drives.",
        labels=["kind"],
    )
    forgotten = gauge_read_at_scrape(
        "cloudmart_stale_intents", "Those of them that a worker should have resumed by now.", labels=["kind"]
    )
    for kind in KINDS:
        unsettled.add_metric([kind.name], outside_sagas(kind.rows(), kind).count())
        forgotten.add_metric([kind.name], stale(kind).count())
    return unsettled, forgotten


def by_style() -> dict[str, Mapping[str, Any]]:
    """Returns by style how many sagas are in each condition, and how many an operator must look at."""
    unfinished = SagaInstance.objects.filter(status__in=UNFINISHED).values("saga_type")
    counts = {condition: Count("pk", filter=which) for condition, which in CONDITIONS.items()}
    return {each["saga_type"]: each for each in unfinished.annotate(**counts, calling=Count("attention"))}


def lag_seconds() -> float:
    """Returns 0 if nothing is due."""
    due = SagaInstance.objects.filter(is_due(), status__in=UNFINISHED)
    longest = due.aggregate(longest=Max(DatabaseNow() - DUE_SINCE))["longest"]
    return max(0.0, longest.total_seconds()) if longest else 0.0


READ_AT_SCRAPE.register(Backlog())
