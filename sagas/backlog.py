"""What the workers have before them, read from the database whenever somebody looks at the metrics."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from cloudmart.kernel.clock import DatabaseNow
from cloudmart.kernel.metrics import READ_AT_SCRAPE
from orders.models import SagaStyle
from sagas.leases import DUE_SINCE, is_due, is_free
from sagas.models import UNDERWAY, SagaInstance

CONDITIONS = {
    "driven": Q(lease_until__gt=DatabaseNow()),
    "due": is_due(),
    "waiting": is_free() & Q(given_up_at=None, wake_at__gt=DatabaseNow()),
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
        return sagas, calling, lag


def by_style() -> dict[str, Mapping[str, Any]]:
    """How many sagas of each style are under way in each condition, and how many of them call for a person."""
    under_way = SagaInstance.objects.filter(status__in=UNDERWAY).values("saga_type")
    counts = {condition: Count("pk", filter=which) for condition, which in CONDITIONS.items()}
    return {each["saga_type"]: each for each in under_way.annotate(**counts, calling=Count("attention"))}


def lag_seconds() -> float:
    """0 when nothing is due."""
    due = SagaInstance.objects.filter(is_due(), status__in=UNDERWAY)
    since = due.aggregate(since=Min(DUE_SINCE))["since"]
    return max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0


READ_AT_SCRAPE.register(Backlog())
