"""The result of one window of a measurement."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Throughput and response times of one load."""

    orders_per_second: float
    p50: float
    """Milliseconds until the complete response, for the median order; p95 and p99 likewise."""
    p95: float
    p99: float
    not_2xx: int = 0
    """Responses with another status, and requests without a response."""


def percentile(ascending: Sequence[float], share: float) -> float:
    """Returns the value that `share` (0 to 1) of these do not exceed."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]
