"""Heartbeats: each worker writes its row every few seconds, and deletes it when it stops."""

import logging
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock

from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.kernel.redaction import redacted
from cloudmart.kernel.sharing import Share
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.kernel.text import LONGEST_ERROR, storable
from sagas.engine.lease import HOST
from sagas.models import WorkerHeartbeat

logger = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two heartbeats."""
DEAD_AFTER = timedelta(seconds=30)
"""A worker whose last heartbeat is older has died, or does not reach the database."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""For so long a dead worker is shown."""
MOST_INTERVALS = 10
"""However many workers run, an idle one looks for work after so many of its intervals at most, on average."""


def worker_name() -> str:
    """Returns the name of this process: host and process id."""
    return f"{HOST}:{os.getpid()}"


class Heartbeat:
    """The heartbeat of this process, with the error of each task whose last run has failed.

    With each beat it learns which workers run. Until then the worker is alone.
    """

    def __init__(self) -> None:
        self._lock, self._errors = Lock(), dict[str, str]()
        self._worker = Share()

    def note(self, task: str, error: Exception | None) -> None:
        """Records how the last run of a task has ended."""
        with self._lock:
            if error is None:
                self._errors.pop(task, None)
            else:
                self._errors[task] = storable(redacted(f"{type(error).__name__}: {error}"), LONGEST_ERROR)

    def beat(self, should_stop: ShouldStop = never) -> int:
        """Writes the row, and deletes those of workers that died long ago. Returns 0: the next one is not due yet."""
        with self._lock:
            errors = dict(self._errors)
        _write(errors)
        workers = sorted(living().values_list("pk", flat=True))
        self._worker = Share(workers.index(worker_name()), len(workers))
        return 0

    def share(self, thread: int = 0, threads: int = 1) -> Share:
        """Returns the share of a thread of this worker, if each worker has so many threads for the task."""
        worker = self._worker
        return Share(worker.number * threads + thread, worker.drivers * threads)

    def interval_factor(self) -> float:
        """Returns by how much to multiply the intervals of tasks that all workers share.

        So several workers look as often as one, and at different times.
        """
        workers = min(self._worker.drivers, MOST_INTERVALS)
        return workers * random.uniform(0.5, 1.5) if workers > 1 else 1


@durable
def _write(errors: dict[str, str]) -> None:
    rows = WorkerHeartbeat.objects
    if not rows.filter(pk=worker_name()).update(seen_at=DatabaseNow(), errors=errors):
        rows.create(worker=worker_name(), errors=errors)
    rows.filter(seen_at__lt=DatabaseNow() - FORGOTTEN_AFTER).delete()


@contextmanager
def registered() -> Iterator[None]:
    """Deletes the row of this process before the block, in case an earlier process had its name, and after it."""
    _forget()
    try:
        yield
    finally:
        _forget()


def _forget() -> None:
    """A database that is unavailable keeps no worker from starting or stopping."""
    try:
        _delete()
    except (DatabaseError, InterfaceError, DatabaseBusy) as error:
        logger.warning("heartbeat: the database is unavailable: %s", error)


@durable
def _delete() -> None:
    WorkerHeartbeat.objects.filter(pk=worker_name()).delete()


def living() -> QuerySet[WorkerHeartbeat]:
    """Returns the heartbeats of the workers that run."""
    return WorkerHeartbeat.objects.filter(seen_at__gte=DatabaseNow() - DEAD_AFTER)


def is_dead(heartbeat: WorkerHeartbeat, now: datetime) -> bool:
    """Returns True if the worker has died."""
    return now - heartbeat.seen_at > DEAD_AFTER
