"""Measures the topology of bin/scale: python -m benchmarks.scale.

More processes against one of each, the processor time that an order costs each kind of component, and the response
times with and without a broker. Everything runs on this machine, so that ratios count, and not orders a second.
"""

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from statistics import median

from benchmarks.loads import STYLES
from benchmarks.processes import machine
from benchmarks.promises import rows
from benchmarks.scale.broker import Broker
from benchmarks.scale.shop import Cost, Shop, shop, warm_up
from benchmarks.server import exit_on_sigterm
from benchmarks.table import aligned

SMALL, LARGE = (1, 1, 1), (2, 3, 3)
"""Web servers, Celery workers, and processes of run_worker."""
KINDS = ("nginx", "web", "celery", "worker", "rabbitmq", "redis", "redis-streams", "database")


class Sizes:
    """Both sizes in turn, in both styles: orders whose clients wait, and orders with respond-async."""

    def __init__(self, seconds: int, orders: int) -> None:
        self.seconds, self.orders = seconds, orders
        self.costs: dict[tuple[tuple[int, ...], str, str], list[Cost]] = {}
        self.idle: dict[tuple[int, ...], list[Counter[str]]] = {}

    def round(self, sizes: Iterable[tuple[int, int, int]]) -> None:
        for size in sizes:
            with shop(*size) as running:
                warm_up(running)
                self.idle.setdefault(size, []).append(running.idle(self.seconds))
                for style in STYLES:
                    for name, load in self.loads(running, style):
                        self.costs.setdefault((size, name, style), []).append(running.cost_of(load))

    def loads(self, running: Shop, style: str) -> Iterable[tuple[str, Callable[[], object]]]:
        yield "waited for", lambda: running.order(style, self.seconds)
        yield "respond-async", lambda: running.order_async(style, self.orders)

    def table(self) -> str:
        headings = ("orders", "style", "one of each /s", f"{name_of(LARGE)} /s", "ratio")
        lines = []
        for name in ("waited for", "respond-async"):
            for style in STYLES:
                small, large = ([cost.per_second for cost in self.costs[size, name, style]] for size in (SMALL, LARGE))
                ratio = median(more / one for one, more in zip(small, large, strict=True))
                lines.append((name, style, f"{median(small):.1f}", f"{median(large):.1f}", f"{ratio:.2f}"))
        return aligned([headings, *lines], left=2)

    def cost_table(self) -> str:
        """Returns the processor time per order in ms, which is the number of cores for 1,000 orders a second."""
        headings = ("ms of processor per order", "style", *KINDS, "sum")
        lines = [
            (f"{name}, {name_of(size)}", style, *self.cells(costs))
            for (size, name, style), costs in self.costs.items()
        ]
        return aligned([headings, *lines], left=2)

    def cells(self, costs: list[Cost]) -> list[str]:
        each = [median(cost.milliseconds(kind) for cost in costs) for kind in KINDS]
        return [f"{value:.2f}" for value in (*each, sum(each))]

    def idle_table(self) -> str:
        headings = ("ms of processor per second without orders", *KINDS)
        lines = [
            (name_of(size), *(f"{median(used[kind] for used in every) * 1000:.1f}" for kind in KINDS))
            for size, every in self.idle.items()
        ]
        return aligned([headings, *lines], left=1)


def name_of(size: tuple[int, ...]) -> str:
    return "{} web, {} Celery, {} run_worker".format(*size)


def options_from(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each window (default: 10)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: 3)")
    parser.add_argument("--orders", type=int, default=400, help="with respond-async in each window (default: 400)")
    parser.add_argument(
        "--rate", type=float, default=10, help="orders a second with and without the broker (default: 10)"
    )
    parser.add_argument("--only", choices=["sizes", "broker"], help="measure only this")
    return parser.parse_args(arguments)


def main() -> int:
    """Returns 1 if a promise about RabbitMQ's death is missed, else 0."""
    given = options_from(sys.argv[1:])
    signal.signal(signal.SIGTERM, exit_on_sigterm)
    print(machine("bin/scale"))
    if given.only != "broker":
        sizes = Sizes(given.seconds, given.orders)
        for number in range(given.rounds):
            sizes.round((SMALL, LARGE) if number % 2 == 0 else (LARGE, SMALL))
        print("", sizes.table(), sizes.cost_table(), sizes.idle_table(), sep="\n\n")
    if given.only != "sizes":
        broker = Broker(given.rate, given.seconds)
        broker.run(given.rounds)
        promises = list(broker.promises())
        print("", broker.table(), "", aligned(rows("promise", promises, "kept", "MISSED"), left=4), sep="\n")
        return 0 if all(promise.is_kept for promise in promises) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
