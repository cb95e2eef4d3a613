"""What can be made to go wrong at a provider."""

import math
from dataclasses import asdict, dataclass
from random import random
from threading import Lock


@dataclass(frozen=True, slots=True)
class Knobs:
    """Troubles by how often they strike.

    Below 1 it is that share of the requests; from 1 on, it is that many requests, and then no more.
    """

    latency: float = 0
    """No trouble, but milliseconds: how long a new request takes before it has its effect."""
    drop_before: float = 0
    """The connection is dropped, and nothing is done."""
    unavailable: float = 0
    """503, and nothing is done."""
    duplicate: float = 0
    """The request is heard twice, at once."""
    drop_after: float = 0
    """It is done, and the connection is dropped."""
    error_after: float = 0
    """It is done, and answered with 500."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number, and not negative")

    @classmethod
    def parse(cls, pairs: list[str]) -> "Knobs":
        """From `name=number`s. Raises ValueError and TypeError."""
        return cls(**{name: float(number) for name, _, number in (pair.partition("=") for pair in pairs)})


class Board:
    """The knobs as they stand: they are turned while requests are served, and wear off."""

    def __init__(self, knobs: Knobs) -> None:
        self._lock = Lock()
        self.turn(knobs)

    def turn(self, knobs: Knobs) -> None:
        with self._lock:
            self._values = asdict(knobs)

    def values(self) -> dict[str, float]:
        with self._lock:
            return dict(self._values)

    def strikes(self, trouble: str) -> bool:
        """Whether this request has this trouble."""
        with self._lock:
            often = self._values[trouble]
            if often < 1:
                return random() < often
            self._values[trouble] = often - 1
            return True
