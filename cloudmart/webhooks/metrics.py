"""Metrics of webhooks: attempts as they are made, and endpoints and deliveries, read at each scrape."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Count, F, Q
from prometheus_client import Counter, Metric
from prometheus_client.registry import Collector

from cloudmart.database.clock import NOW
from cloudmart.kernel.metrics import READ_AT_SCRAPE, gauge_read_at_scrape, harmless
from cloudmart.webhooks.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint

ATTEMPTS = Counter("cloudmart_webhook_attempts", "Requests to endpoints of webhooks, by how they ended.", ["outcome"])
ENABLED = Q(status=EndpointStatus.ENABLED)
STATES = {
    "enabled": ENABLED & Q(failing_since=None),
    "failing": ENABLED & Q(failing_since__isnull=False),
    "disabled": Q(status=EndpointStatus.DISABLED),
}


@harmless
def count_attempt(*, is_accepted: bool) -> None:
    ATTEMPTS.labels("delivered" if is_accepted else "failed").inc()


class Webhooks(Collector):
    def collect(self) -> Iterable[Metric]:
        endpoints = gauge_read_at_scrape(
            "cloudmart_webhook_endpoints", "Endpoints of webhooks, by how they are doing.", labels=["state"]
        )
        for state, number in endpoints_by_state().items():
            endpoints.add_metric([state], number)
        pending = WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING, endpoint__in=enabled_endpoints())
        deliveries = gauge_read_at_scrape(
            "cloudmart_webhook_deliveries_pending", "Webhooks that are not accepted yet.", pending.count()
        )
        lag = gauge_read_at_scrape(
            "cloudmart_webhook_lag_seconds",
            "How long the webhook has been due that has been due longest, of endpoints that do not fail.",
            lag_seconds(),
        )
        return endpoints, deliveries, lag


def endpoints_by_state() -> dict[str, int]:
    """Returns how many endpoints are enabled, are enabled but accept nothing at present, and are disabled."""
    return WebhookEndpoint.objects.aggregate(**{state: Count("pk", filter=rows) for state, rows in STATES.items()})


def enabled_endpoints(**conditions: object) -> list[UUID]:
    return list(WebhookEndpoint.objects.filter(ENABLED, **conditions).values_list("pk", flat=True))


def lag_seconds() -> float:
    """Returns 0 if nothing is due."""
    pending = WebhookDelivery.objects.filter(
        endpoint__in=enabled_endpoints(failures=0), status=DeliveryStatus.PENDING, due_at__lte=NOW
    )
    longest = pending.order_by("due_at").annotate(lag=NOW - F("due_at")).values_list("lag", flat=True).first()
    return max(0.0, longest.total_seconds()) if longest else 0.0


READ_AT_SCRAPE.register(Webhooks())
