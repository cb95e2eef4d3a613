"""Draws a timeline as inline SVG: no script, and its colours are classes of `sagas/timeline.css`. Pure."""

from collections.abc import Iterable, Mapping

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sagas.operations.timeline.axis import Axis, Stretch, axis_for
from sagas.operations.timeline.bars import Attempt, Bar, BarStatus, Mark, Timeline
from sagas.operations.timeline.durations import shown
from sagas.operations.timeline.names import STATUSES, name_of

WIDTH = 960
LEFT, RIGHT = 150.0, 936.0
ROW, TOP = 30, 40
BAR = 16
LEAST_BAR = 5.0
"""Even an attempt of no time can be seen, and clicked."""
MARK = 6
ROOM_FOR_NUMBER, ROOM_FOR_BREAK = 16.0, 50.0
TICKS_APART = 70.0


def drawn(timeline: Timeline, axis: Axis | None = None) -> SafeString:
    """Returns the SVG: a row for each step, the compensation below, and each bar a link to its row in the table.

    `axis` is that of several timelines; by default the timeline has its own.
    """
    axis = axis or axis_for(timeline.busy, timeline.duration, LEFT, RIGHT)
    rows = _rows(timeline)
    anchors = {item: anchor(timeline, number) for number, item in enumerate(timeline.items, start=1)}
    height = TOP + ROW * len(rows) + 8
    return format_html(
        '<svg class="tl" viewBox="0 0 {width} {height}" role="group" aria-label="{label}">'
        "<desc>{description}</desc>{axis}{rows}</svg>",
        width=WIDTH,
        height=height,
        label=_("Timeline of the order"),
        description=described(timeline),
        axis=_axis(axis, height),
        rows=_joined(_row(row, TOP + ROW * number, axis, timeline, anchors) for number, row in enumerate(rows)),
    )


def described(timeline: Timeline) -> str:
    """Returns the timeline in words."""
    steps = [summary_of(item) for item in timeline.items]
    return _("%(duration)s in all. %(steps)s") % {"duration": shown(timeline.duration), "steps": " ".join(steps)}


def summary_of(item: Bar | Mark) -> str:
    """Returns such as `Ship: failed, 3 attempts, from 37 ms, took 240 ms. The carrier is unavailable.`"""
    if isinstance(item, Mark):
        return _("%(name)s at %(start)s.") % {"name": name_of(item), "start": shown(item.at)}
    count = len(item.attempts)
    attempts = ngettext("%(count)s attempt", "%(count)s attempts", count) % {"count": count}
    sentence = _("%(name)s: %(status)s, %(attempts)s, from %(start)s, took %(duration)s.") % {
        "name": name_of(item),
        "status": STATUSES[item.status],
        "attempts": attempts,
        "start": shown(item.started),
        "duration": shown(item.duration),
    }
    return f"{sentence} {_(item.error)}".strip()


def anchor(timeline: Timeline, number: int) -> str:
    """Returns the id of the row of the item with this number in the table below, which no other order has."""
    return f"step-{timeline.order_id.hex[-8:]}-{number}"


# --- Rows ---------------------------------------------------------------------------------------------------------


Row = str | Bar | list[Mark]
"""A heading, one step, or all marks."""

Anchors = Mapping[Bar | Mark, str]


def _rows(timeline: Timeline) -> list[Row]:
    rows: list[Row] = [list(timeline.marks)] if timeline.marks else []
    rows += timeline.done
    return [*rows, _("Undo"), *timeline.undone] if timeline.undone else rows


def _row(row: Row, top: int, axis: Axis, timeline: Timeline, anchors: Anchors) -> SafeString:
    if isinstance(row, str):
        return format_html('<text class="tl-heading" x="0" y="{}">{}</text>', top + 20, row)
    if isinstance(row, Bar):
        return _label(name_of(row), top) + _bar(row, top, axis, timeline, anchors)
    return _label(_("Events"), top) + _joined(_mark(mark, top, axis, anchors[mark]) for mark in row)


def _label(text: str, top: int) -> SafeString:
    return format_html('<text class="tl-label" x="0" y="{}">{}</text>', top + 20, text)


def _bar(bar: Bar, top: int, axis: Axis, timeline: Timeline, anchors: Anchors) -> SafeString:
    waits = [*bar.waits, (bar.finished, timeline.end_of(bar))]
    return format_html(
        '<a href="#{anchor}" aria-label="{summary}"><title>{summary}</title>{waits}{attempts}</a>',
        anchor=anchors[bar],
        summary=summary_of(bar),
        waits=_joined(_wait(axis.position(start), axis.position(end), top, bar.status) for start, end in waits),
        attempts=_joined(_attempt(bar, attempt, top, axis) for attempt in bar.attempts),
    )


def _attempt(bar: Bar, attempt: Attempt, top: int, axis: Axis) -> SafeString:
    left, right = axis.position(attempt.started), axis.position(attempt.finished)
    width = max(LEAST_BAR, right - left)
    left = min(left, RIGHT - width)
    has_failed = bool(attempt.error) and not (attempt is bar.attempts[-1] and bar.status == BarStatus.DONE)
    number = f"✖{attempt.number}" if has_failed else str(attempt.number)
    is_numbered = width >= ROOM_FOR_NUMBER and (has_failed or len(bar.attempts) > 1)
    return format_html(
        "<g><title>{title}</title>"
        '<rect class="tl-bar {kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="3"/>{number}</g>',
        title=attempt_text(attempt),
        kind="tl-failed" if has_failed else _kind(bar),
        x=_number(left),
        y=top + 7,
        width=_number(width),
        height=BAR,
        number=_text_in_bar(number, left + width / 2, top) if is_numbered else "",
    )


def _text_in_bar(text: str, x: float, top: int) -> SafeString:
    return format_html('<text class="tl-number" x="{}" y="{}">{}</text>', _number(x), top + 19, text)


def attempt_text(attempt: Attempt) -> str:
    """Returns such as `Attempt 2 at 41 ms, took 3 ms. ProviderUnavailable: 503`."""
    sentence = _("Attempt %(number)s at %(start)s, took %(duration)s.") % {
        "number": attempt.number,
        "start": shown(attempt.started),
        "duration": shown(attempt.duration),
    }
    return f"{sentence} {_(attempt.error)}".strip()


def _kind(bar: Bar) -> str:
    if bar.status == BarStatus.DONE:
        return "tl-undone" if bar.is_undo else "tl-done"
    return f"tl-{bar.status}"


def _wait(left: float, right: float, top: int, status: BarStatus) -> SafeString:
    return format_html(
        '<line class="tl-wait tl-wait-{}" x1="{}" y1="{y}" x2="{}" y2="{y}"/>',
        status,
        _number(left),
        _number(right),
        y=top + 15,
    )


def _mark(mark: Mark, top: int, axis: Axis, anchor: str) -> SafeString:
    x, y = min(RIGHT, axis.position(mark.at)), top + 15
    points = f"{x - MARK:.1f},{y} {x:.1f},{y - MARK} {x + MARK:.1f},{y} {x:.1f},{y + MARK}"
    return format_html(
        '<a href="#{anchor}" aria-label="{summary}"><title>{summary}</title>'
        '<polygon class="tl-mark" points="{points}"/></a>',
        anchor=anchor,
        summary=f"{summary_of(mark)} {mark.text}".strip(),
        points=points,
    )


# --- The axis -----------------------------------------------------------------------------------------------------


def _axis(axis: Axis, height: int) -> SafeString:
    breaks = _joined(_break(gap, height) for gap in axis.breaks)
    line = format_html('<line class="tl-axis" x1="{}" y1="20" x2="{}" y2="20"/>', _number(LEFT), _number(RIGHT))
    return breaks + line + _joined(_tick(position, text) for position, text in _ticks(axis))


def _break(gap: Stretch, height: int) -> SafeString:
    """Returns a band that says how long nothing has happened; if there is no room, as a tooltip only."""
    text, width = shown(gap.end - gap.start), gap.right - gap.left
    label = format_html('<text class="tl-gap" x="{}" y="34">{}</text>', _number(gap.left + width / 2), text)
    return format_html(
        '<rect class="tl-break" x="{}" y="20" width="{}" height="{}"><title>{}</title></rect>{}',
        _number(gap.left),
        _number(width),
        height - 20,
        text,
        label if width >= ROOM_FOR_BREAK else "",
    )


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """Returns the ends of the axis, and of its stretches where there is room for their times."""
    taken = [(LEFT, shown(0)), (RIGHT, shown(axis.end))]
    for stretch in axis.stretches:
        for moment, position in ((stretch.start, stretch.left), (stretch.end, stretch.right)):
            if not stretch.is_break and all(abs(position - other) >= TICKS_APART for other, _text in taken):
                taken.append((position, shown(moment)))
    return taken


def _tick(position: float, text: str) -> SafeString:
    side = "end" if position == RIGHT else "start" if position == LEFT else "middle"
    return format_html(
        '<line class="tl-axis" x1="{x}" y1="16" x2="{x}" y2="24"/>'
        '<text class="tl-tick tl-{}" x="{x}" y="12">{}</text>',
        side,
        text,
        x=_number(position),
    )


def _number(value: float) -> str:
    return f"{value:.1f}"


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))
