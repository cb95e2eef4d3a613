"""Live reservations as metrics, read from the database at each scrape."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.registry import Collector

from cloudmart.kernel.metrics import READ_AT_SCRAPE, gauge_read_at_scrape
from inventory.selectors import count_live_reservations


class LiveReservations(Collector):
    def collect(self) -> Iterable[Metric]:
        reservations, copies = count_live_reservations()
        yield gauge_read_at_scrape("cloudmart_live_reservations", "Live reservations.", reservations)
        yield gauge_read_at_scrape("cloudmart_live_reserved_copies", "Copies in live reservations.", copies)


READ_AT_SCRAPE.register(LiveReservations())
