"""Faults: every few seconds the next component of the topology dies, or stands still for a while."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from threading import Event
from typing import NamedTuple

from benchmarks.topology import Component, Topology, wait_for

KINDS = ("nginx", "web", "celery", "worker", "rabbitmq", "redis", "redis-streams", "database", "receiver", "consumer")
FREEZE = (1.0, 4.0)
"""Seconds for which a component is stopped, at least and at most."""
RESTART = 60
"""Seconds in which a killed component has to be there again."""
MARGIN = 0.5
"""Seconds after its restart in which nginx may still drop a connection."""


class Fault(NamedTuple):
    """SIGKILL, or SIGSTOP and SIGCONT after so many seconds."""

    kind: str
    frozen_for: float | None

    @property
    def what(self) -> str:
        return "killed" if self.frozen_for is None else f"stopped for {self.frozen_for:.1f} s"


class Outage(NamedTuple):
    """When nginx was away. Seconds of the monotonic clock."""

    began: float
    ended: float

    def overlaps(self, began: float, ended: float) -> bool:
        return began <= self.ended and self.began <= ended


def faults(chance: Random) -> Iterator[Fault]:
    """Yields faults without end: every kind of component once, in random order, and so on."""
    while True:
        for kind in chance.sample(KINDS, len(KINDS)):
            yield Fault(kind, chance.choice((None, chance.uniform(*FREEZE))))


@dataclass(slots=True)
class Chaos:
    """Injects the faults into a topology."""

    topology: Topology
    chance: Random
    coming: Iterator[Fault]
    happened: list[str] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def run(self, interval: float, is_over: Event) -> None:
        """Injects a fault after every interval, and waits at the end until every component is there again.

        However slow the machine is, two runs have a fault of every kind of component.
        """
        while not is_over.wait(interval) or len(self.happened) < len(KINDS) / 2:
            self.inject(next(self.coming))
        self.topology.wait_until_ready()

    def inject(self, fault: Fault) -> None:
        wait_for(lambda: bool(self.alive(fault.kind)), RESTART, f"{fault.kind} was not restarted")
        component = self.chance.choice(self.alive(fault.kind))
        self.happened.append(f"{component.name} {fault.what}")
        began = time.monotonic()
        if fault.frozen_for is None:
            component.kill()
        else:
            with component.frozen():
                time.sleep(fault.frozen_for)
        if fault.kind == "nginx":
            if fault.frozen_for is None:
                wait_for(lambda: self.is_back(component), RESTART, "nginx was not restarted")
            self.outages.append(Outage(began, time.monotonic() + MARGIN))

    def alive(self, kind: str) -> list[Component]:
        return [component for component in self.topology.components(kind) if component.is_alive]

    def is_back(self, killed: Component) -> bool:
        """Returns True if another process has taken its place, and accepts connections."""
        running = [each for each in self.topology.components(killed.kind) if each.name == killed.name]
        return any(each.pid != killed.pid and each.listens for each in running)

    def excuses(self, began: float, ended: float) -> bool:
        """Returns True if nginx was away at some time of a request."""
        return any(outage.overlaps(began, ended) for outage in self.outages)
