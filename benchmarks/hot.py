"""Measures 50 buyers of one book, whose stock is one row or split into sub-shelves: python -m benchmarks.hot."""

import argparse
import os
import signal
import sys
from dataclasses import dataclass, field
from statistics import median

from benchmarks.closed_loop import measure_closed_loop
from benchmarks.database import Watch
from benchmarks.loads import CROWD_SIZE, STYLES
from benchmarks.processes import machine
from benchmarks.server import (
    PLAIN,
    WITHOUT_WORKER,
    Server,
    audit,
    exit_on_sigterm,
    manage,
    serving,
    working,
)
from benchmarks.table import aligned
from benchmarks.window import Window, percentile

BOOK, COPIES = "made-up-0000001", 1_000_000
THREADS = 13
"""In each of the server's four processes: more than buyers, so that an order waits for the book, not for a thread."""
HEADINGS = (
    *("style", "sub-shelves", "orders/s", "p50 ms", "p95 ms", "p99 ms", "of one row"),
    *("waits", "ms waited", "not 2xx"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A window, and the waits for row locks of each of its orders: their number, and their milliseconds together."""

    window: Window
    waits: float
    waited: float


@dataclass(slots=True)
class Case:
    style: str
    shards: int
    samples: list[Sample] = field(default_factory=list)

    def row(self, one_row: "Case") -> tuple[str, ...]:
        latencies = sorted(one for sample in self.samples for one in sample.window.latencies)
        speeds = [sample.window.orders_per_second for sample in self.samples]
        others = [sample.window.orders_per_second for sample in one_row.samples]
        return (
            self.style,
            str(self.shards) if self.shards > 1 else "-",
            f"{median(speeds):.1f}",
            *(f"{percentile(latencies, share):.0f}" for share in (0.50, 0.95, 0.99)),
            f"{median(mine / theirs for mine, theirs in zip(speeds, others, strict=True)):.2f}",
            f"{median(sample.waits for sample in self.samples):.2f}",
            f"{median(sample.waited for sample in self.samples):.1f}",
            str(sum(sample.window.not_2xx for sample in self.samples)),
        )


def measure(case: Case, server: Server, watch: Watch, token: str, seconds: int) -> None:
    manage("split_book", BOOK, "--shards", str(case.shards))
    before, (waits, waited) = watch.counts_when_finished(), watch.lock_waits()
    window = measure_closed_loop(server, token, case.style, 1, CROWD_SIZE, seconds)
    orders = (watch.counts_when_finished() - before).orders
    after = watch.lock_waits()
    case.samples.append(Sample(window, (after[0] - waits) / orders, (after[1] - waited) / orders))


def options_from(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.hot", description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="of each window (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, help="each measures every case once (default: 3)")
    parser.add_argument("--shards", type=int, nargs="+", default=[4, 8], help="numbers of sub-shelves (default: 4 8)")
    parser.add_argument("--distance", type=float, default=1, help="milliseconds to the database (default: 1)")
    return parser.parse_args(arguments)


def main() -> int:
    """Returns 0 if every copy is accounted for and the audit is clean, else 1."""
    options = options_from(sys.argv[1:])
    signal.signal(signal.SIGTERM, exit_on_sigterm)
    watch = Watch(os.environ.get("DATABASE_URL", ""))
    watch.refuse_filled_database()
    watch.allow_connections(300)
    split = {
        **PLAIN,
        "WEB_THREADS": str(THREADS),
        "SHELF_SHARDS": str(max(options.shards)),
        "DISTANCE": str(options.distance),
    }
    os.environ["SHELF_SHARDS"] = split["SHELF_SHARDS"]  # of the commands
    manage("migrate", "--verbosity", "0")
    manage("seed", "--books", "1", "--copies", str(COPIES), "--demo-users")
    token = manage("issue_token", "tanaka").strip()
    cases = [Case(style, shards) for style in STYLES for shards in (1, *options.shards)]
    with (
        serving("distant", {**split, "SHELF_SHARDS": "1"}) as plain,
        serving("distant", split) as splitting,
        working({**split, "EMAIL_URL": "dummymail://"}),
    ):
        for server in (plain, splitting):
            for style in STYLES:
                measure_closed_loop(server, token, style, 1, CROWD_SIZE, 2)
        for number in range(options.rounds):
            print(f"Round {number + 1} of {options.rounds}", file=sys.stderr)
            for case in cases if number % 2 == 0 else reversed(cases):
                measure(case, splitting if case.shards > 1 else plain, watch, token, options.seconds)
    print(f"{machine(watch.version())}; {options.distance:g} ms to the database; {CROWD_SIZE} buyers of one book")
    one_row = {case.style: case for case in cases if case.shards == 1}
    print(aligned([HEADINGS, *(case.row(one_row[case.style]) for case in cases)], left=2))
    manage("project_inventory")
    problems = watch.problems() + audit(PLAIN, but_for=WITHOUT_WORKER)
    print("\n" + ("\n".join(problems) or "Every copy is accounted for, and the audit is clean."))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
