"""Timelines in templates."""

from uuid import UUID

from django import template
from django.utils.safestring import SafeString

from sagas.operations.timeline import svg
from sagas.operations.timeline.bars import Bar, Timeline
from sagas.operations.timeline.durations import shown
from sagas.operations.timeline.names import STATUSES
from sagas.operations.timeline.reading import timeline_of_order
from sagas.operations.timeline.rows import Row, in_flight_text, rows_of

register = template.Library()


@register.simple_tag
def order_timeline(order_id: UUID) -> Timeline:
    """The timeline of an order: `{% order_timeline order.pk as timeline %}`."""
    return timeline_of_order(order_id)


@register.filter
def drawn(timeline: Timeline) -> SafeString:
    """The timeline as inline SVG."""
    return svg.drawn(timeline)


@register.filter
def rows(timeline: Timeline) -> list[Row]:
    """The rows of the table below it."""
    return rows_of(timeline)


@register.filter
def in_flight(timeline: Timeline) -> str:
    """What the order waits for; "" if it waits for nothing."""
    return in_flight_text(timeline)


@register.filter
def milliseconds(value: float | None) -> str:
    """Milliseconds as people read them."""
    return "" if value is None else shown(value)


@register.filter
def result(bar: Bar) -> str:
    """How far the step has come."""
    return str(STATUSES[bar.status])
