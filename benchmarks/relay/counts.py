"""What has happened, and what of it has arrived."""

from dataclasses import astuple, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of a time. Each order is completed, and records one event besides those of its saga."""

    orders: int
    saga_events: int
    delivered: int
    """Webhooks that are stored as delivered."""
    received: int
    """Webhooks that the endpoint has received."""
    streamed: int
    """Events that were added to the streams."""

    def __sub__(self, earlier: Self) -> "Counts":
        return Counts(*(now - then for now, then in zip(astuple(self), astuple(earlier), strict=True)))

    def problems(self) -> list[str]:
        """Returns what has not arrived, or more than once."""
        expected = {
            "webhooks delivered": (self.delivered, self.orders),
            "webhooks received": (self.received, self.orders),
            "events in the streams": (self.streamed, self.orders + self.saga_events),
        }
        return [f"{number} {what} instead of {right}" for what, (number, right) in expected.items() if number != right]
