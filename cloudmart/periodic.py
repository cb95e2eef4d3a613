"""Tasks that a process repeats until it receives a stop signal."""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from cloudmart.database.transactions import drop_connection_after
from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.kernel.redaction import forget_secrets
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.process import yield_processors
from cloudmart.worker_metrics import count_run

logger = logging.getLogger(__name__)

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def ignore(name: str, error: Exception | None) -> None:
    pass


def nothing() -> None:
    pass


def unchanged() -> float:
    """Returns the factor of a task that this process does not share with others."""
    return 1


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Work that is repeated at an interval."""

    name: str
    work: Callable[[ShouldStop], int]
    """Returns how many items it processed."""
    interval: float
    """Seconds between a run that processed nothing and the next run."""
    after_run: Callable[[str, Exception | None], None] = ignore
    """Called with the task's name, and with the error if the run has failed."""
    interval_factor: Callable[[], float] = unchanged
    """Multiplies the interval, for a task that several processes share."""
    always_waits: bool = False
    """Waits for the interval also after a run that processed something."""
    yields: bool = False
    """Has orders go first on the same processors: what it does may be late."""
    close: Callable[[], None] = nothing
    """Called after the last run."""

    def run(self, should_stop: ShouldStop = never) -> int | None:
        """Runs the work once, and counts the run. Logs an error and returns None: the next run may succeed."""
        close_old_connections()
        forget_secrets()
        began, processed, error = monotonic(), None, None
        try:
            processed = self.work(should_stop)
        except Exception as failure:
            error = failure
            self._log(error)
        count_run(self.name, processed, monotonic() - began)
        self.after_run(self.name, error)
        return processed

    def _log(self, error: Exception) -> None:
        if isinstance(error, DatabaseError | InterfaceError | DatabaseBusy):
            logger.warning("%s: the database is unavailable: %s", self.name, error)
            drop_connection_after(error)
        else:
            logger.error("%s failed", self.name, exc_info=error)

    def repeat(self, stop: Event) -> None:
        """Repeats the work until `stop` is set. After a failed run it waits for the interval."""
        if self.yields:
            yield_processors()
        while not stop.is_set():
            if not self.run(stop.is_set) or self.always_waits:
                stop.wait(self.interval * self.interval_factor())
        self.close()
        connections.close_all()


def block_stop_signals() -> None:
    """Keeps the stop signals from this thread and from those that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def run_until_stopped(*tasks: PeriodicTask) -> None:
    """Repeats each task in a thread of its own until SIGTERM or SIGINT.

    For a process that does nothing else. The main thread waits for the signals instead of handling them: a handler
    runs in the main thread only, which a signal received by another thread does not wake.
    """
    block_stop_signals()
    stop = Event()
    threads = [Thread(target=task.repeat, args=(stop,), name=task.name) for task in tasks]
    for thread in threads:
        thread.start()
    signal.sigwait(STOP_SIGNALS)
    stop.set()
    for thread in threads:
        thread.join()
