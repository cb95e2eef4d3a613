"""The axis of a timeline: long times in which nothing happens take little room, so that milliseconds stay visible."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

Span = tuple[float, float]
"""Start and end."""

SHORTEST_BREAK = 50.0
"""Milliseconds. A shorter time in which nothing happens is drawn to scale."""

BREAK_WIDTH, LEAST_WIDTH = 0.08, 0.03
"""Of a break, and of a stretch that is drawn to scale; shares of the whole axis."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the axis: from one moment to another, and where it is drawn."""

    start: float
    end: float
    left: float
    right: float
    is_break: bool

    def position(self, moment: float) -> float:
        share = (moment - self.start) / (self.end - self.start) if self.end > self.start else 0.0
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)


@dataclass(frozen=True, slots=True)
class Axis:
    stretches: tuple[Stretch, ...]

    def position(self, moment: float) -> float:
        """Returns where a moment is drawn; never outside the axis."""
        following = bisect_right(self.stretches, moment, key=attrgetter("start"))
        return self.stretches[max(0, following - 1)].position(moment)

    @property
    def end(self) -> float:
        """The last moment."""
        return self.stretches[-1].end

    @property
    def breaks(self) -> list[Stretch]:
        return [stretch for stretch in self.stretches if stretch.is_break]


def axis_for(busy: Iterable[Span], duration: float, left: float, right: float) -> Axis:
    """Returns the axis from 0 to `duration` on which something happens in the `busy` spans."""
    merged = _merged([(0.0, 0.0), *busy, (duration, duration)])
    longest = _longest_to_scale(merged)
    kept = [merged[0]]
    for start, end in merged[1:]:
        if start - kept[-1][1] > longest:
            kept.append((start, end))
        else:
            kept[-1] = (kept[-1][0], end)
    return Axis(tuple(_laid_out(kept, left, right)))


def _merged(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _longest_to_scale(spans: list[Span]) -> float:
    """Returns how long nothing may happen without a break: no longer than all that is shorter together."""
    total = sum(end - start for start, end in spans)
    for gap in sorted(after[0] - before[1] for before, after in pairwise(spans)):
        if gap > max(SHORTEST_BREAK, total):
            break
        total += gap
    return max(SHORTEST_BREAK, total)


def _laid_out(spans: list[Span], left: float, right: float) -> Iterable[Stretch]:
    """Yields the spans, with a break between each two. What is to scale has the same scale, above a least width."""
    room = right - left
    gap = min(room * BREAK_WIDTH, room / 2 / len(spans))
    free = room - gap * (len(spans) - 1)
    least = min(room * LEAST_WIDTH, free / len(spans))
    total = sum(end - start for start, end in spans)
    spare = free - least * len(spans)
    at = left
    for number, (start, end) in enumerate(spans):
        if number:
            yield Stretch(spans[number - 1][1], start, at, at + gap, is_break=True)
            at += gap
        width = least + (spare * (end - start) / total if total else spare / len(spans))
        yield Stretch(start, end, at, at + width, is_break=False)
        at += width
