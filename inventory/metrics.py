"""Reservations, and the lags of the ledger and the read model, read from the database at each scrape."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.registry import Collector

from cloudmart.kernel.metrics import READ_AT_SCRAPE, gauge_read_at_scrape
from inventory.following import newest_lag
from inventory.pending import pending_lag
from inventory.selectors import count_live_reservations, expiry_lag


class Reservations(Collector):
    def collect(self) -> Iterable[Metric]:
        reservations, copies = count_live_reservations()
        yield gauge_read_at_scrape("cloudmart_live_reservations", "Live reservations.", reservations)
        yield gauge_read_at_scrape("cloudmart_live_reserved_copies", "Copies in live reservations.", copies)
        yield gauge_read_at_scrape(
            "cloudmart_expiry_lag_seconds",
            "Time since the earliest expiry of a reservation that is not yet returned to stock.",
            max(0.0, expiry_lag().total_seconds()),
        )


class ReadModelLag(Collector):
    def collect(self) -> Iterable[Metric]:
        yield gauge_read_at_scrape(
            "cloudmart_read_model_lag_seconds",
            "Age of the oldest stock event, of the newest 1,000, that the list of books does not show.",
            max(0.0, newest_lag().total_seconds()),
        )


class PendingEventsLag(Collector):
    def collect(self) -> Iterable[Metric]:
        yield gauge_read_at_scrape(
            "cloudmart_pending_events_lag_seconds",
            "Age of the oldest event of a sub-shelf that is not in the ledger.",
            max(0.0, pending_lag().total_seconds()),
        )


READ_AT_SCRAPE.register(PendingEventsLag())
READ_AT_SCRAPE.register(Reservations())
READ_AT_SCRAPE.register(ReadModelLag())
