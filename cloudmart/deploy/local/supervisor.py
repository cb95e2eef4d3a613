"""Keeps the components running: starts them in order, restarts what dies, and stops all of them in order."""

import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from cloudmart.deploy.local.component import Component

RESTART_AFTER = 1.0
"""Seconds between the death of a component and its restart."""
START_TIME, STOP_TIME = 120.0, 45.0
"""Seconds that a component may take to become ready, and to end."""
INTERVAL = 0.1

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """The supervisor has received a signal to stop."""


class NotReady(Exception):
    """A component cannot be started, or did not become ready in time."""


class Supervisor:
    """Runs components until SIGTERM, SIGINT or SIGHUP. It has one thread, whose end ends the components too."""

    def __init__(self, folder: Path, changed: Callable[[list[Component]], None]) -> None:
        """`changed` is called after each start and restart, with everything that was started."""
        self._folder, self._changed = folder, changed
        self.components: list[Component] = []
        self._died: dict[str, float] = {}
        self._is_stopping = False
        (folder / "logs").mkdir(parents=True, exist_ok=True)

    def obey_signals(self) -> None:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, self._stop)

    def _stop(self, *args: Any) -> None:
        self._is_stopping = True

    def start(self, components: Sequence[Component]) -> None:
        """Starts components at the same time."""
        for component in components:
            component.start(self._folder)
            self.components.append(component)
        self._changed(self.components)

    def wait_until_ready(self, components: Sequence[Component]) -> None:
        """Raises NotReady, or Stopped."""
        deadline = monotonic() + START_TIME
        for component in components:
            while not component.is_ready:
                if monotonic() > deadline:
                    raise NotReady(f"{component.name} is not ready; see {self._folder}/logs/{component.name}.log")
                self.tend()

    def run(self) -> None:
        """Restarts what dies, until a signal to stop. Raises Stopped."""
        while True:
            self.tend()

    def tend(self) -> None:
        """Waits INTERVAL seconds, and restarts what died RESTART_AFTER seconds ago. Raises Stopped."""
        sleep(INTERVAL)
        if self._is_stopping:
            raise Stopped
        for component in self.components:
            if component.has_ended and self._may_restart(component):
                component.start(self._folder)
                self._changed(self.components)

    def _may_restart(self, component: Component) -> bool:
        """Returns True a second after its death; kills what it has left behind."""
        if component.name not in self._died:
            logger.warning("%s has died", component.name)
            component.kill_rest()
        due = self._died.setdefault(component.name, monotonic()) + RESTART_AFTER <= monotonic()
        if due:
            del self._died[component.name]
        return due

    def stop(self, kinds: Sequence[Sequence[str]]) -> None:
        """Stops the components, one group of kinds after another: each is asked first, and killed after STOP_TIME."""
        for group in kinds:
            some = [component for component in self.components if component.kind in group]
            for component in some:
                component.ask_to_stop()
            wait_until_ended(some)
            for component in some:
                component.kill_rest()


def wait_until_ended(components: Sequence[Component]) -> None:
    deadline = monotonic() + STOP_TIME
    while not all(component.has_ended for component in components) and monotonic() < deadline:
        sleep(INTERVAL)
