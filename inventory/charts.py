"""A book's stock over time as an SVG chart: step lines of the copies on hand, reserved and available."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.template.loader import render_to_string

from inventory.models import StockEvent

LEFT, TOP, WIDTH, HEIGHT = 60, 34, 880, 240
"""The area of the lines, in units of the picture."""

MARKS = 4
"""Intervals on the time axis."""


LINES = {"on_hand": "#417690", "available": "#2e7d32", "reserved": "#d9822b"}
"""The colour of each number of a Stock that is drawn."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Converts times and numbers of copies to coordinates."""

    first: datetime
    last: datetime
    most: int

    def x(self, moment: datetime) -> float:
        return LEFT + WIDTH * ((moment - self.first) / (self.last - self.first))

    def y(self, copies: float) -> float:
        return TOP + HEIGHT * (1 - copies / self.most)


def stock_chart(events: Sequence[StockEvent]) -> str:
    """The chart of these events, oldest first; empty when there are fewer than two."""
    if len(events) < 2:
        return ""
    most = max(event.on_hand_after for event in events) or 1
    scale = Scale(events[0].happened_at, events[-1].happened_at, most)
    context = {
        "width": LEFT + WIDTH + 60,
        "height": TOP + HEIGHT + 34,
        "left": LEFT,
        "right": LEFT + WIDTH,
        "lines": [
            {
                "name": number.replace("_", " "),
                "colour": colour,
                "points": _points(events, number, scale),
                "key": LEFT + 120 * place,
            }
            for place, (number, colour) in enumerate(LINES.items())
        ],
        "copies": [{"y": scale.y(copies), "text": f"{copies:,}"} for copies in sorted({0, most // 2, most})],
        "times": [{"x": scale.x(moment), "text": text} for moment, text in _times(scale)],
    }
    return render_to_string("inventory/stock_chart.svg", context)


def _points(events: Sequence[StockEvent], number: str, scale: Scale) -> str:
    """Steps: each value lasts until the next event."""
    points: list[str] = []
    before: float | None = None
    for event in events:
        x, y = scale.x(event.happened_at), scale.y(getattr(event.stock_after, number))
        points += [f"{x:.1f},{before:.1f}"] if before is not None else []
        points.append(f"{x:.1f},{y:.1f}")
        before = y
    return " ".join(points)


def _times(scale: Scale) -> list[tuple[datetime, str]]:
    span = scale.last - scale.first
    form = "%Y-%m-%d" if span > timedelta(days=4) else "%m-%d %H:%M" if span > timedelta(minutes=10) else "%H:%M:%S"
    moments = [scale.first + span * step / MARKS for step in range(MARKS + 1)]
    return [(moment, f"{moment:{form}}") for moment in moments]
