"""Metrics of the database, and a decorator for code that counts."""

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily

P = ParamSpec("P")

logger = logging.getLogger(__name__)

READ_AT_SCRAPE = CollectorRegistry()
"""Collectors that read their values from the database at each scrape. They are the same in every process."""

SAME_IN_EVERY_PROCESS = "Read from the database: the same in every process; use max(), not sum()."

TRANSACTION_RETRIES = Counter(
    "cloudmart_transaction_retries", "Transactions repeated because of a conflict in the database.", ["transaction"]
)


def gauge_read_at_scrape(
    name: str, documentation: str, value: float | None = None, labels: Sequence[str] | None = None
) -> GaugeMetricFamily:
    """Returns a gauge of a collector in READ_AT_SCRAPE. Its help text says how to aggregate it."""
    return GaugeMetricFamily(name, f"{documentation} {SAME_IN_EVERY_PROCESS}", value, labels)


def harmless(count: Callable[P, None]) -> Callable[P, None]:
    """Logs an exception of `count` instead of raising it."""

    @wraps(count)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            count(*args, **kwargs)
        except Exception:
            logger.exception("%s failed", count.__qualname__)

    return run


@harmless
def count_retry(transaction: str) -> None:
    TRANSACTION_RETRIES.labels(transaction).inc()
