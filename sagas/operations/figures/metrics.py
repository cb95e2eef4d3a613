"""The number of workers that run, read from the database at each scrape."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.registry import Collector

from cloudmart.kernel.metrics import READ_AT_SCRAPE, gauge_read_at_scrape
from sagas.operations.figures.workers import living


class LivingWorkers(Collector):
    def collect(self) -> Iterable[Metric]:
        yield gauge_read_at_scrape(
            "cloudmart_workers_alive", "Workers with a heartbeat in the last 30 seconds.", living().count()
        )


READ_AT_SCRAPE.register(LivingWorkers())
