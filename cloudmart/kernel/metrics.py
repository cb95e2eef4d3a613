"""What is counted of the database, and how to count without doing harm."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from prometheus_client import CollectorRegistry, Counter

P = ParamSpec("P")

logger = logging.getLogger(__name__)

READ_AT_SCRAPE = CollectorRegistry()
"""Collectors that count nothing, and look into the database when they are asked: the same in every process."""

TRANSACTION_RETRIES = Counter(
    "cloudmart_transaction_retries",
    "Transactions run again, whole, because they had lost a conflict in the database.",
    ["transaction"],
)


def harmless(count: Callable[P, None]) -> Callable[P, None]:
    """What goes wrong in counting is logged, and disturbs nobody."""

    @wraps(count)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            count(*args, **kwargs)
        except Exception:
            logger.exception("%s could not count", count.__qualname__)

    return run


@harmless
def count_retry(transaction: str) -> None:
    TRANSACTION_RETRIES.labels(transaction).inc()
