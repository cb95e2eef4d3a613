"""A book's stock over time as step lines: the copies on hand, and those of them that are reserved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext, gettext_lazy

from inventory.models import StockEvent

WIDTH, HEIGHT = 1000, 100
"""The area of the lines, in units of the picture, which is stretched to its place on the page."""

MARKS = 4
"""Intervals on the time axis."""

LINES = {"on_hand": gettext_lazy("On hand"), "reserved": gettext_lazy("Reserved")}
"""The numbers of a Stock that are drawn."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Converts times and numbers of copies to coordinates."""

    first: datetime
    last: datetime
    most: int

    def x(self, moment: datetime) -> float:
        share = (moment - self.first) / ((self.last - self.first) or timedelta.resolution)
        return WIDTH * min(max(share, 0), 1)

    def y(self, copies: float) -> float:
        return HEIGHT * (1 - copies / self.most)


@dataclass(frozen=True, slots=True)
class Chart:
    """The lines and marks of a picture, and the sentence that describes it. `first` and `last` are in milliseconds."""

    lines: list[dict[str, Any]]
    copies: list[dict[str, Any]]
    times: list[str]
    first: int
    last: int
    chosen: float | None
    description: str


def stock_chart(events: Sequence[StockEvent], now: datetime, moment: datetime | None = None) -> Chart | None:
    """Returns the chart of these events, oldest first, until now; None without events. A line marks the moment."""
    if not events:
        return None
    most = max(event.on_hand_after for event in events) or 1
    scale = Scale(events[0].happened_at, max(now, events[-1].happened_at), most)
    return Chart(
        lines=[
            {"name": name, "title": title, "points": _points(events, name, scale)} for name, title in LINES.items()
        ],
        copies=[{"y": scale.y(copies), "text": f"{copies:,}"} for copies in sorted({0, most // 2, most})],
        times=_times(scale),
        first=_milliseconds(scale.first),
        last=_milliseconds(scale.last),
        chosen=scale.x(moment) if moment else None,
        description=_described(events, scale),
    )


def _points(events: Sequence[StockEvent], name: str, scale: Scale) -> str:
    """Steps: each value lasts until the next event, and the last one until now."""
    points: list[str] = []
    before: float | None = None
    for event in events:
        x, y = scale.x(event.happened_at), scale.y(getattr(event.stock_after, name))
        points += [f"{x:.1f},{before:.1f}"] if before is not None else []
        points.append(f"{x:.1f},{y:.1f}")
        before = y
    return " ".join([*points, f"{WIDTH:.1f},{before:.1f}"])


def _times(scale: Scale) -> list[str]:
    span = scale.last - scale.first
    form = "%Y-%m-%d" if span > timedelta(days=4) else "%m-%d %H:%M" if span > timedelta(minutes=10) else "%H:%M:%S"
    moments = [scale.first + span * step / MARKS for step in range(MARKS + 1)]
    return [f"{moment.astimezone(settings.SHOP_TIME_ZONE):{form}}" for moment in moments]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _described(events: Sequence[StockEvent], scale: Scale) -> str:
    last = events[-1].stock_after
    return gettext(
        "Copies on hand and reserved from %(first)s to %(last)s: at most %(most)s on hand; "
        "at the end %(on_hand)s on hand, of which %(reserved)s are reserved."
    ) % {
        "first": f"{scale.first.astimezone(settings.SHOP_TIME_ZONE):%Y-%m-%d %H:%M}",
        "last": f"{scale.last.astimezone(settings.SHOP_TIME_ZONE):%Y-%m-%d %H:%M}",
        "most": max(event.on_hand_after for event in events),
        "on_hand": last.on_hand,
        "reserved": last.reserved,
    }
