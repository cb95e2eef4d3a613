"""Metrics of batches."""

from prometheus_client import Counter

from cloudmart.kernel.metrics import harmless

ITEMS = Counter(
    "cloudmart_batch_items",
    "Orders of batches that a worker has run, by how the command has ended.",
    ["command", "result"],
)


@harmless
def count_item(command: str, result: str) -> None:
    ITEMS.labels(command, result).inc()
