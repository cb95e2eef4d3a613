"""The timeline as a table and as sentences, for pages and the terminal. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sagas.operations.timeline.bars import Bar, BarStatus, InFlight, Mark, Timeline
from sagas.operations.timeline.durations import shown
from sagas.operations.timeline.names import STATUSES, name_of, step_name
from sagas.operations.timeline.svg import anchor


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt of a step, or a mark. Times are milliseconds since the start of the timeline."""

    anchor: str
    """The id of the first row of its step; "" for the others."""
    name: str
    kind: str
    status: str
    start: float
    duration: float | None = None
    attempt: int | None = None
    error: str = ""
    reference: str = ""
    path: str = ""
    """In choreography: the event, the reaction to it, and what that has published."""
    is_undo: bool = False


def rows_of(timeline: Timeline) -> list[Row]:
    """Returns a row for each mark and each attempt, by the start of its step."""
    return [
        row for number, item in enumerate(timeline.items, start=1) for row in _rows_of(item, anchor(timeline, number))
    ]


def in_flight_text(timeline: Timeline) -> str:
    """Returns such as `Pay: attempt 6, next in 41 s, deadline in 3 min 54 s`; "" if nothing is in flight."""
    if timeline.abandoned:
        since = shown(timeline.duration - timeline.abandoned.at)
        return _("Abandoned %(since)s ago: %(reason)s") % {"since": since, "reason": timeline.abandoned.reason}
    if not (flight := timeline.in_flight):
        return ""
    step = {"step": step_name(flight.step, flight.direction), "number": flight.attempt}
    parts = [_("%(step)s: attempt %(number)s") % step, _next_text(flight)]
    if flight.deadline_in is not None:
        parts.append(_("deadline in %(duration)s") % {"duration": shown(flight.deadline_in * 1000)})
    return _(", ").join(parts)


def _next_text(flight: InFlight) -> str:
    if flight.is_running:
        return _("running now")
    return _("next in %(duration)s") % {"duration": shown(flight.next_in * 1000)} if flight.next_in else _("due now")


def _rows_of(item: Bar | Mark, anchor: str) -> Iterator[Row]:
    if isinstance(item, Mark):
        yield Row(anchor, name_of(item), "mark", item.text, item.at)
        return
    for attempt in item.attempts:
        is_last = attempt is item.attempts[-1]
        yield Row(
            anchor=anchor if attempt.number == 1 else "",
            name=name_of(item),
            kind=str(item.status if is_last else BarStatus.FAILED),
            status=str(STATUSES[item.status if is_last else BarStatus.FAILED]),
            start=attempt.started,
            duration=attempt.duration,
            attempt=attempt.number,
            error=attempt.error or (item.error if is_last else ""),
            reference=item.reference if is_last else "",
            path=path_of(item) if is_last else "",
            is_undo=item.is_undo,
        )


def path_of(bar: Bar) -> str:
    """Returns such as `OrderCreated → inventory.reserve_when_order_created → StockReserved, processed at 5 ms`.

    Returns "" in orchestration.
    """
    path = " → ".join(filter(None, [bar.cause, bar.reaction, ", ".join(bar.events)]))
    if bar.processed_at is None:
        return path
    return _("%(path)s, processed at %(time)s") % {"path": path, "time": shown(bar.processed_at)}
