"""`saga show`: the timeline of an order in the terminal."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.utils.translation import gettext as _
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from cloudmart.kernel.order_numbers import shown as shown_number
from sagas.operations.timeline.axis import Axis, axis_for
from sagas.operations.timeline.bars import Bar, BarStatus, Mark, Timeline
from sagas.operations.timeline.durations import shown
from sagas.operations.timeline.names import STATUSES, name_of
from sagas.operations.timeline.rows import in_flight_text, path_of

WIDEST, NARROWEST = 40, 16
"""Characters of the axis."""

BESIDE_THE_AXIS = 80
"""Columns of a terminal that the other columns need to be readable."""

COLOURS = {
    BarStatus.DONE: "green",
    BarStatus.FAILED: "red",
    BarStatus.RUNNING: "blue",
    BarStatus.WAITING: "yellow",
}


def as_json(timeline: Timeline) -> dict[str, Any]:
    return {"number": shown_number(timeline.order_id), **asdict(timeline)}


def shown_timeline(timeline: Timeline, columns: int) -> RenderableType:
    """Returns what to print on a terminal of so many columns: a heading, and a line for each step and each mark."""
    width = min(WIDEST, max(NARROWEST, columns - BESIDE_THE_AXIS))
    axis = axis_for(timeline.busy, timeline.duration, 0, width - 1)
    table = Table(
        Column(_("Step"), no_wrap=True),
        Column(_("Start"), justify="right", no_wrap=True),
        Column(_("Duration"), justify="right", no_wrap=True),
        Column(f"{shown(0)} … {shown(timeline.duration)}", no_wrap=True, min_width=width),
        Column(_("Result"), overflow="fold"),
        box=None,
        pad_edge=False,
    )
    for item in timeline.items:
        cells = _mark(item, axis) if isinstance(item, Mark) else _bar(item, timeline, axis, width)
        table.add_row(*cells)
    return Group(*_heading(timeline), table)


def _heading(timeline: Timeline) -> Iterator[Text]:
    parts = [shown_number(timeline.order_id), str(timeline.order_id), timeline.style, timeline.status]
    yield Text("  ".join(filter(None, parts)), style="bold")
    if timeline.failure:
        yield Text(str(timeline.failure.get("detail", "")), style="red")
    if text := in_flight_text(timeline):
        yield Text(text, style="yellow")


def _bar(bar: Bar, timeline: Timeline, axis: Axis, width: int) -> tuple[Text, Text, Text, Text, Text]:
    colour = "magenta" if bar.is_undo and bar.status == BarStatus.DONE else COLOURS.get(bar.status, "dim")
    name = f"↩ {name_of(bar)}" if bar.is_undo else name_of(bar)
    return (
        Text(name),
        Text(shown(bar.started)),
        Text(shown(bar.duration)),
        _drawn(bar, timeline.end_of(bar), axis, width, colour),
        _result(bar, colour),
    )


def _drawn(bar: Bar, end: float, axis: Axis, width: int, colour: str) -> Text:
    """Returns the bar as characters: each attempt a block, the waits between them dots."""
    cells = [" "] * width
    first, last = round(axis.position(bar.started)), round(axis.position(end))
    cells[first : last + 1] = ["·"] * (last - first + 1)
    styles = [colour] * width
    for attempt in bar.attempts:
        for cell in range(round(axis.position(attempt.started)), round(axis.position(attempt.finished)) + 1):
            cells[cell] = "█"
            styles[cell] = "red" if attempt.error and attempt is not bar.attempts[-1] else colour
    return Text.assemble(*zip(cells, styles, strict=True))


def _result(bar: Bar, colour: str) -> Text:
    """Returns the result of the step with the provider's reference; below it each failed attempt, and the reaction."""
    lines = [Text.assemble((str(STATUSES[bar.status]), colour), (f"  {bar.reference}".rstrip(), "dim"))]
    lines += [Text(text, style="red") for text in _errors(bar)]
    lines += [Text(text, style="dim") for text in [path_of(bar)] if text]
    return Text("\n").join(lines)


def _errors(bar: Bar) -> Iterator[str]:
    """Yields the error of each attempt that failed; once, if several attempts in a row have the same."""
    for error, alike in groupby(bar.attempts, key=attrgetter("error")):
        first, *others = [attempt.number for attempt in alike]
        if error and others:
            yield _("attempts %(first)s to %(last)s: %(error)s") % {"first": first, "last": others[-1], "error": error}
        elif error:
            yield _("attempt %(number)s: %(error)s") % {"number": first, "error": error}


def _mark(mark: Mark, axis: Axis) -> tuple[Text, Text, Text, Text, Text]:
    drawn = Text(" " * round(axis.position(mark.at)) + "◆", style="blue")
    return Text(name_of(mark)), Text(shown(mark.at)), Text(), drawn, Text(mark.text)
