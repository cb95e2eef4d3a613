"""What is held now, read from the database whenever somebody looks at the metrics."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from cloudmart.kernel.metrics import READ_AT_SCRAPE
from inventory.selectors import held_now


class LiveReservations(Collector):
    def collect(self) -> Iterable[Metric]:
        reservations, copies = held_now()
        yield GaugeMetricFamily("cloudmart_live_reservations", "Holds that have not run out.", reservations)
        yield GaugeMetricFamily("cloudmart_live_reserved_copies", "Copies in holds that have not run out.", copies)


READ_AT_SCRAPE.register(LiveReservations())
