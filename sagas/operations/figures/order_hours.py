"""The orders of each hour, counted by workers: pages that show them do not count them again.

An order counts in the hour in which it was placed, with the outcome that it has when it is counted. Outcomes change
later, so an hour is counted again: while it is RECENT every 15 seconds, after that twice an hour for two days.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import BooleanField, Count, ExpressionWrapper, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import TruncHour

from cloudmart.database.clock import DatabaseNow, database_now
from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import first_id
from cloudmart.kernel.stopping import ShouldStop, never
from sagas.engine.metrics import outcome_of
from sagas.models import OrderHour, SagaInstance

HOUR = timedelta(hours=1)
RECENT, COUNTED = 2, 48
"""How many hours are counted often, and how many at all: the one that runs, and those before it."""
AT_ONCE = 12
"""How many hours one statement counts."""
KEPT_FOR = timedelta(days=90)
CLOCKS_DIFFER_BY = timedelta(minutes=10)
"""An id has the time of its process's clock, `created_at` that of the database."""

ABANDONED = "abandoned"
"""The outcome of an unfinished order that an operator has abandoned."""

SUCCESSFUL, UNSUCCESSFUL = {"completed", "returned"}, {"failed"}
"""A cancelled order is neither; nor is one that is not finished."""

Counts = list[tuple[str, str, str, int]]
"""Style, outcome, error code ("" if there is none), and the number of orders."""


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour's orders as they were counted last."""

    begins: datetime
    counts: Counts
    counted_at: datetime | None
    """None if no worker has counted them."""

    def number(self, style: str, *outcomes: str) -> int:
        """Returns how many orders of the style have one of these outcomes."""
        return sum(number for of, outcome, _, number in self.counts if of == style and outcome in outcomes)


def last_hours(number: int, now: datetime) -> list[Hour]:
    """Returns so many hours, oldest first, with the one that runs as the last."""
    begins = [hour_of(now) - HOUR * ago for ago in reversed(range(number))]
    stored = OrderHour.objects.in_bulk(begins)
    counted = [(hour, stored.get(hour)) for hour in begins]
    return [Hour(hour, row.counts if row else [], row.counted_at if row else None) for hour, row in counted]


def success_rate(hours: Iterable[Hour], style: str) -> float | None:
    """Returns how many of the orders that neither wait nor were cancelled have succeeded; None if there are none."""
    hours = list(hours)
    successful = sum(hour.number(style, *SUCCESSFUL) for hour in hours)
    unsuccessful = sum(hour.number(style, *UNSUCCESSFUL) for hour in hours)
    return successful / (successful + unsuccessful) if successful + unsuccessful else None


def failures(hours: Iterable[Hour]) -> list[tuple[str, int]]:
    """Returns how many orders have failed with which error code, the most frequent first."""
    found: Counter[str] = Counter()
    for _, outcome, code, number in (count for hour in hours for count in hour.counts):
        if outcome in UNSUCCESSFUL:
            found[code] += number
    return found.most_common()


def hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def count_due_hours(should_stop: ShouldStop = never) -> int:
    """Counts the hours whose counts are too old. Returns 0: the next look may wait for the interval."""
    now = database_now()
    hours = [hour_of(now) - HOUR * ago for ago in reversed(range(COUNTED))]
    counted_at = dict(OrderHour.objects.filter(hour__gte=hours[0]).values_list("hour", "counted_at"))
    due = [hour for hour in hours if hour not in counted_at or now - counted_at[hour] >= lasts(now - hour)]
    while due and not should_stop():
        batch = [hour for hour in due if hour < due[0] + HOUR * AT_ONCE]
        due = due[len(batch) :]
        count_hours(batch)
    return 0


def lasts(age: timedelta) -> timedelta:
    """Returns how long the counts of an hour that began so long ago are good enough."""
    return timedelta(seconds=15) if age < HOUR * RECENT else timedelta(minutes=30)


@durable
def count_hours(hours: list[datetime]) -> None:
    """Counts the orders of these hours, which are near each other. A second call stores the same.

    Counts that another worker has made later are not replaced.
    """
    now = database_now()
    counts = _counts_between(hours[0], hours[-1] + HOUR)
    stored = set(OrderHour.objects.filter(hour__in=hours).values_list("hour", flat=True))
    new = [OrderHour(hour=hour, counts=counts[hour], counted_at=now) for hour in hours if hour not in stored]
    OrderHour.objects.bulk_create(new, ignore_conflicts=True)
    for hour in stored:
        OrderHour.objects.filter(hour=hour, counted_at__lt=now).update(counts=counts[hour], counted_at=now)


@durable
def delete_old_hours() -> int:
    """Returns how many hours it has deleted."""
    deleted, _ = OrderHour.objects.filter(hour__lt=DatabaseNow() - KEPT_FOR).delete()
    return deleted


def _counts_between(start: datetime, end: datetime) -> dict[datetime, Counts]:
    """Returns the counts of the orders placed in this time, by hour. Reads them by the range of their ids."""
    ids = Q(pk__gte=first_id(start - CLOCKS_DIFFER_BY), pk__lt=first_id(end + CLOCKS_DIFFER_BY))
    sagas = SagaInstance.objects.filter(ids, created_at__gte=start, created_at__lt=end)
    groups = sagas.annotate(
        hour=TruncHour("created_at", tzinfo=UTC),
        code=KeyTextTransform("code", "failure"),
        is_abandoned=ExpressionWrapper(Q(abandoned_at__isnull=False), BooleanField()),
    ).values_list("hour", "saga_type", "status", "code", "is_abandoned")
    return _by_hour(groups.annotate(number=Count("pk")).order_by())


def _by_hour(groups: Iterable[tuple[datetime, str, str, str | None, bool, int]]) -> dict[datetime, Counts]:
    found: dict[datetime, Counts] = defaultdict(list)
    for hour, style, status, code, is_abandoned, number in groups:
        outcome = ABANDONED if is_abandoned else outcome_of(status, code or "")
        found[hour].append((style, outcome, code or "", number))
    return found
