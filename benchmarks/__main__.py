"""Measures orders per second of both saga styles and of the floor: python -m benchmarks."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.api import Server, manage, measure_api, serving
from benchmarks.database import Counts, Watch
from benchmarks.floor import measure_floor
from benchmarks.window import Window

BOOKS = 1000
COPIES = 1_000_000
SPREADS = {f"{BOOKS} books": BOOKS, "one book": 1}
LOADS = ("floor", "orchestration", "choreography")
WARM_UP = 2
"""Seconds of load on the API before anything is measured."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A window, the database's counters during it, and the largest worker's memory after it (MB)."""

    window: Window
    counts: Counts
    memory: float


@dataclass(slots=True)
class Case:
    """One load on one spread of books. Every round measures it once."""

    load: str
    spread: str
    samples: list[Sample] = field(default_factory=list)

    def median(self, value: Callable[[Sample], float]) -> float:
        return median(map(value, self.samples))

    @property
    def not_2xx(self) -> int:
        return sum(sample.window.not_2xx for sample in self.samples)

    def share_of(self, floor: "Case") -> float:
        """Returns this case's share of the floor's throughput: the median over the rounds."""
        pairs = zip(self.samples, floor.samples, strict=True)
        return median(mine.window.orders_per_second / best.window.orders_per_second for mine, best in pairs)


class Benchmark:
    """Measures all cases in turn."""

    def __init__(self, options: argparse.Namespace, url: str, watch: Watch, server: Server, token: str) -> None:
        self._options, self._url, self._watch, self._server, self._token = options, url, watch, server, token
        self.cases = [Case(load, spread) for spread in SPREADS for load in LOADS]

    def run(self) -> None:
        """Measures all cases in every round. Every other round is reversed, so that drift affects all alike."""
        for style in LOADS[1:]:
            measure_api(self._server, self._token, style, BOOKS, self._options.clients, WARM_UP)
        for number in range(self._options.rounds):
            print(f"Round {number + 1} of {self._options.rounds}", file=sys.stderr)
            for case in self.cases if number % 2 == 0 else reversed(self.cases):
                case.samples.append(self._sample(case))

    def _sample(self, case: Case) -> Sample:
        before = self._watch.counts_when_finished()
        window = self._measure(case)
        memory = self._server.worker_memory()
        return Sample(window, self._watch.counts_when_finished() - before, memory)

    def _measure(self, case: Case) -> Window:
        books, clients, seconds = SPREADS[case.spread], self._options.clients, self._options.seconds
        if case.load == "floor":
            return measure_floor(self._url, books, clients, seconds)
        return measure_api(self._server, self._token, case.load, books, clients, seconds)


def prepare() -> str:
    """Creates tables, books, and a customer with a user. Returns the user's API token."""
    manage("migrate", "--verbosity", "0")
    manage("seed", "--books", str(BOOKS), "--copies", str(COPIES), "--demo-users")
    return manage("issue_token", "tanaka").strip()


HEADINGS = (
    *("spread", "load", "orders/s", "p50 ms", "p95 ms", "p99 ms", "of floor"),
    *("statements", "commits", "not 2xx", "worker MB"),
)


def row(case: Case, floor: Case) -> tuple[str, ...]:
    """Returns a row of the table: medians of the rounds, except for the sum of responses that were not 2xx."""
    is_floor = case is floor
    return (
        case.spread,
        case.load,
        f"{case.median(lambda it: it.window.orders_per_second):.1f}",
        f"{case.median(lambda it: it.window.p50):.1f}",
        f"{case.median(lambda it: it.window.p95):.1f}",
        f"{case.median(lambda it: it.window.p99):.1f}",
        f"{case.share_of(floor):.3f}",
        f"{case.median(lambda it: it.counts.statements / it.counts.orders):.1f}",
        f"{case.median(lambda it: it.counts.commits / it.counts.orders):.1f}",
        "-" if is_floor else str(case.not_2xx),
        "-" if is_floor else f"{case.median(lambda it: it.memory):.0f}",
    )


def table(cases: list[Case]) -> str:
    """Returns all cases as text, with the numbers aligned to the right."""
    floors = {case.spread: case for case in cases if case.load == "floor"}
    rows = [HEADINGS, *(row(case, floors[case.spread]) for case in cases)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = ["".join(("<", ">")[at > 1] + str(width)) for at, width in enumerate(widths)]
    return "\n".join("  ".join(format(cell, to) for cell, to in zip(cells, aligned, strict=True)) for cells in rows)


def options_from(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each window (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="of six windows each (default: 3)")
    parser.add_argument("--clients", type=int, default=16, help="that order at the same time (default: 16)")
    parser.add_argument("--server", choices=("granian", "granian-wsgi", "gunicorn"), default="granian")
    return parser.parse_args(arguments)


def exit_on_sigterm(*_: Any) -> None:
    """Ends the process like Ctrl-C does, so that the server is stopped too."""
    sys.exit(143)


def main() -> int:
    """Returns 0 if every copy is accounted for and every response was 2xx, else 1."""
    options = options_from(sys.argv[1:])
    signal.signal(signal.SIGTERM, exit_on_sigterm)
    url = os.environ.get("DATABASE_URL", "")
    watch = Watch(url)
    watch.refuse_filled_database()
    token = prepare()
    with serving(options.server) as server:
        benchmark = Benchmark(options, url, watch, server, token)
        benchmark.run()
    print(table(benchmark.cases))
    problems = watch.problems()
    if failed := sum(case.not_2xx for case in benchmark.cases):
        problems.append(f"{failed} responses that were not 2xx")
    print("\n".join(problems) or "Every copy is accounted for.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
