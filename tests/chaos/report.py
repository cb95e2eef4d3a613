"""The summary of a run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from benchmarks.window import percentile
from tests.chaos.checks import requests_of
from tests.chaos.clients import Order

REPORT: list[str] = []
"""Lines of the summary at the end."""


def summary(
    what: str, orders: Sequence[Order], drained: float, faults: Sequence[str], delivered: str
) -> Iterator[str]:
    """Yields the lines of a test; `delivered` says what the consumers have."""
    statuses = Counter(str(each.status or "none") for request in requests_of(orders) for each in request.attempts)
    seconds = sorted(order.placed.seconds for order in orders)
    middle, high = (percentile(seconds, share) for share in (0.5, 0.95))
    yield f"{what}: {len(orders)} orders, all finished {drained:.1f} s after the last response"
    yield f"  responses: {', '.join(f'{number} × {status}' for status, number in sorted(statuses.items()))}"
    yield f"  seconds to the final response: median {middle:.2f}, p95 {high:.2f}, longest {seconds[-1]:.2f}"
    yield f"  longest time in which nobody was answered: {longest_silence(orders):.1f} s"
    yield f"  faults: {'; '.join(faults)}"
    yield f"  in all so far: {delivered}"


def longest_silence(orders: Sequence[Order]) -> float:
    """Returns the longest time between two final responses to any client."""
    moments = sorted(each.ended for request in requests_of(orders) for each in request.attempts if each.is_final)
    return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)
