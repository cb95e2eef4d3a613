"""Metrics of the database, and a decorator for code that counts."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from prometheus_client import CollectorRegistry, Counter

P = ParamSpec("P")

logger = logging.getLogger(__name__)

READ_AT_SCRAPE = CollectorRegistry()
"""Collectors that read their values from the database at each scrape. They are the same in every process."""

TRANSACTION_RETRIES = Counter(
    "cloudmart_transaction_retries", "Transactions repeated because of a conflict in the database.", ["transaction"]
)


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
