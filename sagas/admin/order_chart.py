"""The orders of each hour as a chart of stacked bars, in inline SVG, and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from sagas.operations.figures.order_hours import ABANDONED, Hour, success_rate

WIDTH, HEIGHT, BAR = 20, 120, 16
"""Of an hour, of the highest bar, and of a bar, in the units of the SVG."""
LABEL_EVERY = 6
"""Hours between two labels of the axis."""

STACK = {
    "completed": _("completed"),
    "returned": _("returned"),
    "cancelled": _("cancelled"),
    "failed": _("failed"),
    "waiting": _("not finished"),
    ABANDONED: _("abandoned"),
}
"""The outcomes from the bottom of a bar to its top, with their names."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of a bar for one outcome."""

    outcome: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """An hour: its row of the table, and its bar."""

    begins: datetime
    end: int
    """Where its bar ends."""
    numbers: list[int]
    """Of each outcome of STACK."""
    rate: float | None
    segments: list[Segment]
    is_labelled: bool

    @property
    def total(self) -> int:
        return sum(self.numbers)

    @property
    def percent(self) -> str:
        return percent(self.rate)


@dataclass(frozen=True, slots=True)
class Chart:
    """The orders of one style."""

    style: str
    columns: list[Column]
    rate: float | None
    highest: int

    bar: ClassVar = BAR
    height: ClassVar = HEIGHT
    axis: ClassVar = HEIGHT + 12
    """The base line of the labels."""
    depth: ClassVar = HEIGHT + 28
    outcomes: ClassVar = tuple(STACK.values())

    @property
    def width(self) -> int:
        return WIDTH * len(self.columns)

    @property
    def total(self) -> int:
        return sum(column.total for column in self.columns)

    @property
    def percent(self) -> str:
        return percent(self.rate)


def percent(rate: float | None) -> str:
    """Returns the rate in percent, rounded down: 100 only if nothing has failed."""
    return "" if rate is None else f"{floor(rate * 1000) / 10:g}"


def charts_of(styles: Sequence[str], hours: Sequence[Hour]) -> list[Chart]:
    """Returns a chart of each style, all on the same scale."""
    numbers = {style: [[hour.number(style, outcome) for outcome in STACK] for hour in hours] for style in styles}
    highest = max(sum(of_hour) for of_style in numbers.values() for of_hour in of_style)
    return [_chart(style, hours, numbers[style], highest) for style in styles]


def _chart(style: str, hours: Sequence[Hour], numbers: Sequence[list[int]], highest: int) -> Chart:
    columns = [
        Column(
            hour.begins,
            WIDTH * at + BAR,
            of_hour,
            success_rate([hour], style),
            _segments(WIDTH * at, of_hour, HEIGHT / max(highest, 1)),
            (len(hours) - 1 - at) % LABEL_EVERY == 0,
        )
        for at, (hour, of_hour) in enumerate(zip(hours, numbers, strict=True))
    ]
    return Chart(style, columns, success_rate(hours, style), highest)


def _segments(x: int, numbers: Sequence[int], scale: float) -> list[Segment]:
    segments, y = [], float(HEIGHT)
    for outcome, number in zip(STACK, numbers, strict=True):
        if number:
            y -= number * scale
            segments.append(Segment(outcome, x, round(y, 2), round(number * scale, 2)))
    return segments
