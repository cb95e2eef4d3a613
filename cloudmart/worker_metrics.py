"""Metrics of the tasks that a worker repeats, counted in its own process."""

from prometheus_client import Counter, Histogram

from cloudmart.kernel.metrics import harmless

RUNS = Counter(
    "cloudmart_worker_runs",
    "Runs of a worker's task: done (it processed something), idle (nothing was due) or failed.",
    ["task", "outcome"],
)
PROCESSED = Counter(
    "cloudmart_worker_processed",
    "Items that the runs of a worker's task have processed: sagas, mails and so on.",
    ["task"],
)
RUN_SECONDS = Histogram(
    "cloudmart_worker_run_duration_seconds",
    "Every run of a worker's task. A run ends when nothing is due any more.",
    ["task"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)


@harmless
def count_run(task: str, processed: int | None, seconds: float) -> None:
    """Counts a run. `processed` is None if it has failed."""
    RUNS.labels(task, "failed" if processed is None else "done" if processed else "idle").inc()
    PROCESSED.labels(task).inc(processed or 0)
    RUN_SECONDS.labels(task).observe(seconds)
