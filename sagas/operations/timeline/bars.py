"""The timeline of an order: bars for its steps, and marks. Times are milliseconds from the start of the timeline."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any
from uuid import UUID

from sagas.models import Direction


class BarStatus(StrEnum):
    """How far a step has come."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  #: There was nothing to do.
    RUNNING = "running"  #: Its provider is being called.
    WAITING = "waiting"  #: It waits for its next attempt.
    ABANDONED = "abandoned"  #: An operator has stopped the attempts.
    STOPPED = "stopped"  #: The order was undone before its outcome was known.


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a step, numbered from 1 over all calls of its provider."""

    number: int
    started: float
    finished: float
    error: str = ""

    @property
    def duration(self) -> float:
        return self.finished - self.started


@dataclass(frozen=True, slots=True)
class Bar:
    """One step, done or undone, with all of its attempts, of which there is at least one."""

    step: str
    direction: Direction
    status: BarStatus
    attempts: tuple[Attempt, ...]
    error: str = ""
    """Why the step failed; "" if it did not."""
    reference: str = ""
    """The provider's name for what it has done."""
    is_return: bool = False
    """The order is undone because its parcel has come back."""
    reaction: str = ""
    """In choreography: who has done it."""
    cause: str = ""
    """In choreography: the event that the reaction has processed."""
    events: tuple[str, ...] = ()
    """In choreography: what the reaction has published."""
    processed_at: float | None = None
    """In choreography: when the receipt of the reaction was written."""

    @property
    def started(self) -> float:
        return self.attempts[0].started

    @property
    def finished(self) -> float:
        return self.attempts[-1].finished

    @property
    def duration(self) -> float:
        return self.finished - self.started

    @property
    def waits(self) -> list[tuple[float, float]]:
        """The times between the attempts."""
        return [(before.finished, after.started) for before, after in pairwise(self.attempts)]

    @property
    def is_undo(self) -> bool:
        return self.direction == Direction.UNDO


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that takes no time: a change of the draft, a request, a report of the carrier."""

    event_type: str
    at: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Open:
    """The step that is neither done nor refused yet, by the saga's position."""

    step: str
    direction: Direction
    status: BarStatus
    now: float

    def status_of(self, step: str, direction: str) -> BarStatus:
        """Returns the status of a step without an outcome."""
        return self.status if (step, direction) == (self.step, self.direction) else BarStatus.STOPPED


@dataclass(frozen=True, slots=True)
class InFlight:
    """The step of an unfinished saga that is not done yet. Times are seconds from now on."""

    step: str
    direction: Direction
    attempt: int
    is_running: bool
    next_in: float | None = None
    """When a worker tries again; None while somebody drives the saga."""
    deadline_in: float | None = None
    """When the order is undone unless it is finished; None if it is being undone already."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """An operator has stopped the attempts."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Timeline:
    order_id: UUID
    style: str
    started: datetime
    """What 0 ms means."""
    duration: float
    """Up to the last thing that has happened; to now while the saga is not finished."""
    status: str
    """The state of the saga; "" if there is none: the order is a draft."""
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    in_flight: InFlight | None = None
    abandoned: Abandoned | None = None
    failure: dict[str, Any] = field(default_factory=dict)

    @property
    def busy(self) -> list[tuple[float, float]]:
        """When something happens: from and to."""
        attempts = [(attempt.started, attempt.finished) for bar in self.bars for attempt in bar.attempts]
        return attempts + [(mark.at, mark.at) for mark in self.marks]

    @property
    def done(self) -> list[Bar]:
        """The steps forward."""
        return [bar for bar in self.bars if not bar.is_undo]

    @property
    def undone(self) -> list[Bar]:
        """The compensation."""
        return [bar for bar in self.bars if bar.is_undo]

    def end_of(self, bar: Bar) -> float:
        """Returns when the bar ends: now, if it waits."""
        is_open = bar.status in {BarStatus.WAITING, BarStatus.ABANDONED}
        return self.duration if is_open else bar.finished

    @property
    def items(self) -> list[Bar | Mark]:
        """The bars and marks by their start."""
        return sorted([*self.marks, *self.bars], key=lambda item: item.at if isinstance(item, Mark) else item.started)
