"""What one window of a measurement has seen."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Throughput and waiting times of one load, for a few seconds."""

    orders_per_second: float
    p50: float
    """Milliseconds from sending an order to its whole answer, for the median order; p95 and p99 likewise."""
    p95: float
    p99: float
    not_2xx: int = 0
    """Answers with another status, and requests without any answer."""


def percentile(ascending: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of these are not above."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]
