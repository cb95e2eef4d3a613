"""The loads that are measured, and what was measured."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import median
from typing import Self

from benchmarks.database import Counts
from benchmarks.window import Window, percentile

BOOKS = 1000
FLOOR = "floor"
STYLES = ORCHESTRATION, CHOREOGRAPHY = "orchestration", "choreography"
MANY_BOOKS, ONE_BOOK, WITH_KEYS = f"{BOOKS} books", "one book", f"{BOOKS} books, keys"
CROWD, CROWD_15, CROWD_50, CROWD_MINUTE = "50 clients", "50 clients, 15/s", "50 clients, 50/s", "50 clients, 100/min"
CROWD_SIZE = 50


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients order which books."""

    name: str
    clients: int
    books: int = BOOKS
    rate: float | None = None
    """Orders per second of an open loop, or None for a closed loop."""
    with_keys: bool = False
    """Every order has an Idempotency-Key, and the server counts requests to throttle them."""
    length: int = 1
    """The length of a window, as a multiple of the usual one."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """What is measured under this load."""
        return STYLES if self.rate or self.with_keys else (FLOOR, *STYLES)


def all_loads(clients: int) -> tuple[Load, ...]:
    """Returns all loads; those of the first three have this number of clients."""
    return (
        Load(MANY_BOOKS, clients),
        Load(WITH_KEYS, clients, with_keys=True),
        Load(ONE_BOOK, clients, books=1),
        Load(CROWD, CROWD_SIZE),
        Load(CROWD_15, CROWD_SIZE, rate=15),
        Load(CROWD_50, CROWD_SIZE, rate=50),
        Load(CROWD_MINUTE, CROWD_SIZE, rate=100 / 60, length=4),
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """A window, the database's counters during it, and the largest worker's memory after it (MB)."""

    window: Window
    counts: Counts
    memory: float


@dataclass(slots=True)
class Case:
    """The floor or a style under one load. Every round measures it once."""

    load: Load
    subject: str
    samples: list[Sample] = field(default_factory=list)

    def median(self, value: Callable[[Sample], float]) -> float:
        return median(map(value, self.samples))

    def percentile(self, share: float) -> float:
        """Returns the milliseconds that this share of the orders of all rounds did not exceed."""
        latencies = sorted(one for sample in self.samples for one in sample.window.latencies)
        return percentile(latencies, share) if latencies else inf

    @property
    def orders(self) -> int:
        return sum(sample.counts.orders for sample in self.samples)

    @property
    def not_2xx(self) -> int:
        return sum(sample.window.not_2xx for sample in self.samples)

    def share_of(self, other: Self) -> float:
        """Returns this case's throughput divided by the other's: the median over the rounds."""
        pairs = zip(self.samples, other.samples, strict=True)
        return median(mine.window.orders_per_second / theirs.window.orders_per_second for mine, theirs in pairs)


Cases = Mapping[tuple[str, str], Case]
"""By the name of the load and the subject."""


def cases_of(loads: Iterable[Load]) -> dict[tuple[str, str], Case]:
    return {(load.name, subject): Case(load, subject) for load in loads for subject in load.subjects}
