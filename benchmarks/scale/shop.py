"""A topology with a shop in it, and the loads that it is put under."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from urllib.parse import urlsplit

from benchmarks.closed_loop import measure_closed_loop
from benchmarks.connection import Connection
from benchmarks.database import Watch
from benchmarks.loads import BOOKS, STYLES
from benchmarks.open_loop import HEAD_START, schedule
from benchmarks.server import THROTTLED, Server, environment
from benchmarks.topology import Topology, running_topology, wait_for
from benchmarks.window import Window

CLIENTS = 8
WARM_UP = 2
"""Seconds of a load that is not measured."""
ASYNC = {"Prefer": "respond-async"}
SETTINGS = {
    **THROTTLED,
    "ALLOW_MAGIC_TOKENS": "true",
    "EMAIL_URL": "dummymail://",
    "NGINX_RATE": "100000r/s",
    "NGINX_BURST": "100000",
}
QUIET = 60
"""Seconds in which every order of a window has to be finished."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a number of orders cost."""

    orders: int
    seconds: float
    processor: Counter[str]
    """Processor time by kind of component."""

    @property
    def per_second(self) -> float:
        return self.orders / self.seconds

    def milliseconds(self, kind: str) -> float:
        """Returns the processor time per order."""
        return self.processor[kind] / max(1, self.orders) * 1000


@dataclass(frozen=True, slots=True)
class Shop:
    """A running topology, a customer's token, and a connection that watches the database."""

    topology: Topology
    token: str
    watch: Watch

    @property
    def port(self) -> int:
        return urlsplit(self.topology.url).port or 80

    def cost_of(self, load: Callable[[], object]) -> Cost:
        """Measures from the begin of the load until every order of it is finished."""
        before, used, began = self.watch.counts_when_finished(QUIET), self.topology.processor_seconds(), monotonic()
        load()
        wait_for(lambda: not self.watch.unfinished(), QUIET, "orders are still unfinished")
        taken, used_now = monotonic() - began, self.topology.processor_seconds()
        return Cost((self.watch.counts_when_finished(QUIET) - before).orders, taken, used_now - used)

    def idle(self, seconds: float) -> Counter[str]:
        """Returns the processor time that each kind of component uses in a second without any order."""
        used = self.topology.processor_seconds()
        sleep(seconds)
        now = self.topology.processor_seconds()
        return Counter({kind: (now[kind] - used[kind]) / seconds for kind in now})

    def order(self, style: str, seconds: int) -> Window:
        """Measures clients in a closed loop who wait for the outcome of each order. Every order has a key."""
        server = Server(self.topology.supervisor, self.port)
        return measure_closed_loop(server, self.token, style, BOOKS, CLIENTS, seconds, with_keys=True)

    def order_async(self, style: str, orders: int) -> None:
        """Places so many orders with respond-async, as fast as the clients can."""
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(lambda number: self._some_async(style, orders // CLIENTS, number), range(CLIENTS)))

    def order_at_rate(self, style: str, rate: float, seconds: float) -> Window:
        """Measures an open loop in which every other order asks for respond-async."""
        due = schedule(rate, seconds, CLIENTS, Random())
        begin = monotonic() + HEAD_START
        with ThreadPoolExecutor(CLIENTS) as threads:
            results = list(threads.map(lambda moments: self._at_moments(style, moments, begin), due))
        latencies = [latency for result in results for latency, _ in result]
        return Window(
            len(latencies) / seconds, latencies, sum(not is_right for result in results for _, is_right in result)
        )

    def _some_async(self, style: str, orders: int, number: int) -> None:
        connection, chance = Connection(self.port, self.token), Random(number)
        for _ in range(orders):
            if not connection.post("/orders", any_order(style, chance), ASYNC).is_2xx:
                raise SystemExit("An order was refused.")
        connection.close()

    def _at_moments(self, style: str, moments: list[float], begin: float) -> list[tuple[float, bool]]:
        connection, chance, results = Connection(self.port, self.token), Random(), []
        connection.open()
        for at, moment in enumerate(moments):
            sleep(max(0.0, begin + moment - monotonic()))
            response = connection.post("/orders", any_order(style, chance), ASYNC if at % 2 else {})
            results.append(((monotonic() - begin - moment) * 1000, response.is_2xx))
        connection.close()
        return results


def any_order(style: str, chance: Random) -> dict[str, object]:
    book_id = f"made-up-{chance.randint(1, BOOKS):07}"
    return {"book_id": book_id, "quantity": 1, "payment_method": "credit_card", "saga": style}


@contextmanager
def shop(web: int, celery: int, workers: int) -> Iterator[Shop]:
    """Runs a topology of this size with books in it until the block ends."""
    size = ("--web", str(web), "--celery", str(celery), "--workers", str(workers))
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = environment(SETTINGS)
        for name in ("WEB_WORKERS", "WEB_THREADS", "DATABASE_URL"):
            settings.pop(name, None)
        os.environ.pop("DATABASE_URL", None)
        with running_topology(Path(folder), settings, *size, "--without", "prometheus") as topology:
            topology.manage("seed", "--demo-users", "--books", str(BOOKS), "--copies", "1000000").check_returncode()
            token = topology.manage("issue_token", "tanaka").stdout.strip()
            yield Shop(topology, token, Watch(topology.database_url))


def warm_up(running: Shop) -> None:
    for style in STYLES:
        running.order(style, WARM_UP)
    running.watch.counts_when_finished()
