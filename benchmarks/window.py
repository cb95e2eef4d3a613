"""The result of one window of a measurement."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Window:
    """Throughput and response times of one load."""

    orders_per_second: float
    latencies: Sequence[float]
    """Milliseconds until the complete response, of each order."""
    not_2xx: int = 0
    """Responses with another status, and requests without a response."""


def percentile(ascending: Sequence[float], share: float) -> float:
    """Returns the smallest of these values that `share` (0 to 1) of them do not exceed."""
    return ascending[max(0, ceil(round(len(ascending) * share, 9)) - 1)]
