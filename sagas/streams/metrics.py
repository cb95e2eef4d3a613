"""Metrics of the stream, counted as events are published."""

from prometheus_client import Counter

from cloudmart.kernel.metrics import harmless

EVENTS = Counter(
    "cloudmart_stream_events",
    "Events that a worker has tried to publish to Redis: published, or failed (to be repeated).",
    ["outcome"],
)


@harmless
def count_events(outcome: str, number: int) -> None:
    EVENTS.labels(outcome).inc(number)
