"""Work that goes on until the process is told to stop."""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread

from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from cloudmart.kernel.confidential import conceal_nothing
from cloudmart.kernel.errors import DatabaseBusy

logger = logging.getLogger(__name__)

ENDINGS = {signal.SIGTERM, signal.SIGINT}

IsLeaving = Callable[[], bool]
"""Whether the process was told to stop: finish what is in hand, and begin nothing more."""


def never() -> bool:
    return False


def always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Task:
    """Something that has to be done again and again."""

    name: str
    work: Callable[[IsLeaving], int]
    """Returns how much there was to do."""
    pause: float
    """Seconds until the next time, when there was nothing to do."""

    def run(self, is_leaving: IsLeaving = never) -> int | None:
        """Do it once; None when it failed, which stands in the log. A database that is away may be back next time."""
        close_old_connections()
        conceal_nothing()
        try:
            return self.work(is_leaving)
        except (DatabaseError, InterfaceError, DatabaseBusy) as error:
            logger.warning("%s: the database is away: %s", self.name, error)
        except Exception:
            logger.exception("%s failed", self.name)
        return None

    def repeat(self, stop: Event) -> None:
        """Do it until `stop`; what fails is tried again after a pause."""
        while not stop.is_set():
            if not self.run(stop.is_set):
                stop.wait(self.pause)
        connections.close_all()


def follow(*tasks: Task) -> None:
    """Do each of the tasks again and again, none of them held up by another, until SIGTERM or SIGINT.

    For a process that does nothing else. The signals are waited for, not handled: a handler would have to wait until
    the main thread runs, and a signal that another thread has received does not wake that.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    stop = Event()
    threads = [Thread(target=task.repeat, args=(stop,), name=task.name) for task in tasks]
    for thread in threads:
        thread.start()
    signal.sigwait(ENDINGS)
    stop.set()
    for thread in threads:
        thread.join()
