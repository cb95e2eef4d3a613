"""Reports of the stock: reservations by status and age, and movements by day and book."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, F, IntegerField, QuerySet, Sum, When

from cloudmart.database.clock import NOW, database_now
from inventory.models import Reservation, Status, StockMovement
from inventory.movements import COLUMNS

LINE_COLUMNS = ("grouped_by", "status", "range", "reservations", "copies")
"""The columns of a reservation report as one table."""

MOVEMENT_COLUMNS = ("day", "book_id", "title", *COLUMNS)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

OVER_A_MONTH, OVER_AN_HOUR = "over 30 days", "over 60 minutes"
AGES = {
    "up to 15 minutes": 15 * MINUTE,
    "15 to 60 minutes": HOUR,
    "1 to 24 hours": DAY,
    "1 to 7 days": 7 * DAY,
    "7 to 30 days": 30 * DAY,
}
"""The upper limit of each range of ages; the rest is OVER_A_MONTH."""

TIMES_TO_EXPIRY = {
    "past expiry": timedelta(),
    "up to 1 minute": MINUTE,
    "1 to 5 minutes": 5 * MINUTE,
    "5 to 15 minutes": 15 * MINUTE,
    "15 to 60 minutes": HOUR,
}
"""The upper limit of each range of the time to expiry; the rest is OVER_AN_HOUR."""


def reservation_report() -> dict[str, Any]:
    """All reservations by status and age, the active ones by the time to their expiry, and the oldest active one.

    The age counts from `held_since`. Reads every reservation.
    """
    active = Reservation.objects.filter(status=Status.ACTIVE)
    ages = [When(held_since__gte=NOW - limit, then=at) for at, limit in enumerate(AGES.values())]
    times = [When(expires_at__lte=NOW + limit, then=at) for at, limit in enumerate(TIMES_TO_EXPIRY.values())]
    by_age = _counted(Reservation.objects.all(), ages, "status", "at")
    by_time = _counted(active, times, "at")
    return {
        "as_of": database_now(),
        "by_age": [{**line, "age": [*AGES, OVER_A_MONTH][line.pop("at")]} for line in by_age],
        "by_time_to_expiry": [
            {**line, "time_to_expiry": [*TIMES_TO_EXPIRY, OVER_AN_HOUR][line.pop("at")]} for line in by_time
        ],
        "oldest": active.order_by("held_since").first(),
    }


def as_lines(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the lines of a reservation report as one table."""
    for line in report["by_age"]:
        yield {**line, "grouped_by": "age", "range": line["age"]}
    for line in report["by_time_to_expiry"]:
        yield {**line, "grouped_by": "time to expiry", "status": Status.ACTIVE.value, "range": line["time_to_expiry"]}


def movements() -> QuerySet[StockMovement]:
    """The movements of each book and day, with the book's title. The read model may lag."""
    return StockMovement.objects.annotate(title=F("book__title"))


def _counted(reservations: QuerySet[Reservation], ranges: list[When], *by: str) -> list[dict[str, Any]]:
    """Returns the number of reservations, and of the copies in them, by the number of the range in `at`."""
    numbered = reservations.annotate(at=Case(*ranges, default=len(ranges), output_field=IntegerField()))
    return list(numbered.values(*by).annotate(reservations=Count("pk"), copies=Sum("quantity")).order_by(*by))
