"""The faults that a provider can be made to have."""

import math
from dataclasses import asdict, dataclass
from random import random
from threading import Lock


@dataclass(frozen=True, slots=True)
class Knobs:
    """How often each fault strikes.

    Below 1, the value is a share of the requests; from 1 on, it is the number of the next requests that are struck.
    """

    latency: float = 0
    """Not a fault: the milliseconds that a new request takes before it is carried out."""
    drop_before: float = 0
    """The connection is closed, and nothing is done."""
    unavailable: float = 0
    """503, and nothing is done."""
    duplicate: float = 0
    """The request is processed twice, concurrently."""
    drop_after: float = 0
    """The request is carried out, and the connection is closed."""
    error_after: float = 0
    """The request is carried out, and the response is 500."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number, and not negative")

    @classmethod
    def parse(cls, pairs: list[str]) -> "Knobs":
        """Parses `name=number` pairs. Raises ValueError and TypeError."""
        return cls(**{name: float(number) for name, _, number in (pair.partition("=") for pair in pairs)})


class Board:
    """The current knobs: they are set while requests are served, and count down."""

    def __init__(self, knobs: Knobs) -> None:
        self._lock = Lock()
        self.turn(knobs)

    def turn(self, knobs: Knobs) -> None:
        with self._lock:
            self._values = asdict(knobs)

    def values(self) -> dict[str, float]:
        with self._lock:
            return dict(self._values)

    def strikes(self, fault: str) -> bool:
        """Returns True if this request has the fault."""
        with self._lock:
            often = self._values[fault]
            if often < 1:
                return random() < often
            self._values[fault] = often - 1
            return True
