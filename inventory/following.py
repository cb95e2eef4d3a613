"""Follows the ledger: finds the books that the read model lags behind, without comparing whole tables at each look.

A look reads the events at the end of the ledger, by their ids, and for which of them the read model has an older
version. Ids become visible out of order, so a look begins after the highest id that was known OVERLAP seconds ago.
What becomes visible even later, after a transaction that was open for longer, is found by `catch_up()`, which compares
the tables every minute.
"""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from django.db.models import Exists, Max, Min, OuterRef, QuerySet

from cloudmart.database.clock import DatabaseNow
from cloudmart.periodic import PeriodicTask
from inventory.models import InventoryView, PendingEvent, StockEvent
from inventory.projector import catch_up, record_events, record_found

OVERLAP = 10.0
"""Seconds for which an event is looked at again. A transaction that sells or adds stock takes a fraction of one."""
COMPARED_EVERY = 60.0
"""Seconds between two comparisons of the whole tables."""
NEWEST = 1000
"""How many ids from the end of the ledger the first look begins, and how many the lag is read from."""


class Follower:
    """Follows the ledger in one thread. A process that starts, or starts again, needs nothing of an earlier one."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        """When a look began, and the highest id at that time. Each look begins after the first of these ids."""

    def catch_up(self) -> int:
        """Brings the books at the end of the ledger up to date. Returns the number of changed books."""
        record_events()
        began, newest = self._clock(), newest_id()
        if not self._seen:
            self._seen.append((began - OVERLAP, newest - NEWEST))
        books = set(not_shown(after=self._seen[0][1]).values_list("shelf_id", flat=True))
        changed = catch_up(books) if books else 0
        self._advance(began, newest)
        return changed

    def _advance(self, began: float, newest: int) -> None:
        """Forgets the ids known OVERLAP seconds before this look, which has succeeded, except the newest of them."""
        self._seen.append((began, newest))
        while self._seen[1][0] <= began - OVERLAP:
            self._seen.popleft()


def catch_up_all() -> int:
    """Brings all books up to date, and moves pending events even if only other processes have SHELF_SHARDS."""
    record_found(PendingEvent.objects.all())
    return catch_up()


def newest_id() -> int:
    return StockEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0


def not_shown(after: int) -> QuerySet[StockEvent]:
    """Returns the events with a higher id than this one that the read model does not show."""
    shown = InventoryView.objects.filter(pk=OuterRef("shelf"), version__gte=OuterRef("version"))
    return StockEvent.objects.filter(~Exists(shown), pk__gt=after)


def newest_lag() -> timedelta:
    """Returns the age of the oldest event, of the NEWEST, that the read model does not show; 0 if it shows all."""
    missed = not_shown(after=newest_id() - NEWEST)
    return missed.aggregate(lag=DatabaseNow() - Min("happened_at"))["lag"] or timedelta()


def tasks(interval: float) -> tuple[PeriodicTask, PeriodicTask]:
    """Returns the tasks that keep the read model up to date."""
    follower = Follower()
    return (
        PeriodicTask("read model", lambda should_stop: follower.catch_up(), interval, always_waits=True),
        PeriodicTask(
            "whole read model", lambda should_stop: catch_up_all(), max(interval, COMPARED_EVERY), always_waits=True
        ),
    )
