"""What the workers have before them, read from the database whenever somebody looks at the metrics."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count, Max, Q
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.metrics import READ_AT_SCRAPE
from orders.models import SagaStyle
from sagas.engine.lease import DUE_SINCE, is_due, is_free, is_waiting
from sagas.models import UNFINISHED, SagaInstance
from sagas.operations.stale_intents import KINDS, outside_sagas, stale

CONDITIONS = {
    "driven": Q(lease_until__gt=DatabaseNow()),
    "due": is_due(),
    "waiting": is_waiting() & Q(wake_at__gt=DatabaseNow()),
    "given_up": is_free() & Q(given_up_at__isnull=False),
}
"""Every saga under way is in just one of these."""


class Backlog(Collector):
    def collect(self) -> Iterable[Metric]:
        sagas = GaugeMetricFamily(
            "cloudmart_unfinished_sagas",
            "Sagas under way: somebody drives them, they are due, they wait for a provider, or were given up.",
            labels=["style", "condition"],
        )
        calling = GaugeMetricFamily(
            "cloudmart_sagas_calling_for_attention", "Sagas under way that want a person to look.", labels=["style"]
        )
        found = by_style()
        for style in SagaStyle.values:
            counts = found.get(style, {})
            for condition in CONDITIONS:
                sagas.add_metric([style, condition], counts.get(condition, 0))
            calling.add_metric([style], counts.get("calling", 0))
        lag = GaugeMetricFamily(
            "cloudmart_saga_lag_seconds", "For how long the saga that is due longest has been so.", value=lag_seconds()
        )
        return sagas, calling, lag, *intents()


def intents() -> tuple[Metric, Metric]:
    """How many charges, refunds and parcels have no outcome and no saga that drives them."""
    unsettled = GaugeMetricFamily(
        "cloudmart_unsettled_intents",
        "Charges, refunds and parcels without an outcome that no saga drives.",
        labels=["kind"],
    )
    forgotten = GaugeMetricFamily(
        "cloudmart_stale_intents", "Those of them that a worker should have resumed by now.", labels=["kind"]
    )
    for kind in KINDS:
        unsettled.add_metric([kind.name], outside_sagas(kind.rows(), kind).count())
        forgotten.add_metric([kind.name], stale(kind).count())
    return unsettled, forgotten


def by_style() -> dict[str, Mapping[str, Any]]:
    """How many sagas of each style are under way in each condition, and how many of them call for a person."""
    under_way = SagaInstance.objects.filter(status__in=UNFINISHED).values("saga_type")
    counts = {condition: Count("pk", filter=which) for condition, which in CONDITIONS.items()}
    return {each["saga_type"]: each for each in under_way.annotate(**counts, calling=Count("attention"))}


def lag_seconds() -> float:
    """0 when nothing is due."""
    due = SagaInstance.objects.filter(is_due(), status__in=UNFINISHED)
    longest = due.aggregate(longest=Max(DatabaseNow() - DUE_SINCE))["longest"]
    return max(0.0, longest.total_seconds()) if longest else 0.0


READ_AT_SCRAPE.register(Backlog())
