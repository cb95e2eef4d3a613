"""Measures both saga styles and the floor under several loads, and beside a worker: python -m benchmarks."""

import argparse
import os
import signal
import sys
from pathlib import Path

from benchmarks.closed_loop import measure_closed_loop
from benchmarks.database import Watch
from benchmarks.floor import measure_floor
from benchmarks.loads import BOOKS, FLOOR, STYLES, Case, Sample, all_loads, cases_of
from benchmarks.open_loop import measure_open_loop
from benchmarks.processes import machine
from benchmarks.promises import goals, promises, rows
from benchmarks.relay.measuring import Measuring
from benchmarks.results import write_json
from benchmarks.server import PLAIN, ROOT, THROTTLED, WITHOUT_WORKER, Server, audit, exit_on_sigterm, manage, serving
from benchmarks.table import aligned, table
from benchmarks.window import Window

COPIES = 1_000_000
WARM_UP = 2
"""Seconds of load on each server in each style before anything is measured."""
RELAY_LENGTH = 2
"""The length of a window beside a worker, as a multiple of the usual one."""


class Benchmark:
    """Measures all cases in turn, on a plain server and on one that throttles."""

    def __init__(
        self, options: argparse.Namespace, url: str, watch: Watch, plain: Server, throttled: Server, token: str
    ) -> None:
        self._options, self._url, self._watch, self._token = options, url, watch, token
        self._plain, self._throttled = plain, throttled
        self.cases = cases_of(all_loads(options.clients))

    def run(self) -> None:
        """Measures all cases in every round. Every other round is reversed, so that drift affects all alike."""
        self._warm_up()
        for number in range(self._options.rounds):
            print(f"Round {number + 1} of {self._options.rounds}", file=sys.stderr)
            cases = list(self.cases.values())
            for case in cases if number % 2 == 0 else reversed(cases):
                case.samples.append(self._sample(case))

    def _warm_up(self) -> None:
        for server in (self._plain, self._throttled):
            for style in STYLES:
                measure_closed_loop(server, self._token, style, BOOKS, self._options.clients, WARM_UP)

    def _sample(self, case: Case) -> Sample:
        before = self._watch.counts_when_finished()
        window = self._measure(case)
        memory = self._server(case).worker_memory()
        return Sample(window, self._watch.counts_when_finished() - before, memory)

    def _measure(self, case: Case) -> Window:
        load, seconds = case.load, self._options.seconds * case.load.length
        if case.subject == FLOOR:
            return measure_floor(self._url, load.books, load.clients, seconds)
        target = (self._server(case), self._token, case.subject, load.books, load.clients)
        if load.rate:
            return measure_open_loop(*target, load.rate, seconds)
        return measure_closed_loop(*target, seconds, with_keys=load.with_keys)

    def _server(self, case: Case) -> Server:
        return self._throttled if case.load.with_keys else self._plain


def prepare() -> str:
    """Creates tables, books, and a customer with a user. Returns the user's API token."""
    manage("migrate", "--verbosity", "0")
    manage("seed", "--books", str(BOOKS), "--copies", str(COPIES), "--demo-users")
    return manage("issue_token", "tanaka").strip()


def options_from(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each window (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="each measures every case once (default: 3)")
    parser.add_argument("--clients", type=int, default=16, help="of the loads that are not for 50 (default: 16)")
    parser.add_argument("--server", choices=("granian", "granian-wsgi", "gunicorn"), default="granian")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "reports" / "bench.json", help="default: reports/bench.json"
    )
    return parser.parse_args(arguments)


def main() -> int:
    """Returns 0 if every promise is kept, every copy and event is accounted for and the audit is clean, else 1."""
    options = options_from(sys.argv[1:])
    signal.signal(signal.SIGTERM, exit_on_sigterm)
    url = os.environ.get("DATABASE_URL", "")
    watch = Watch(url)
    watch.refuse_filled_database()
    token = prepare()
    relaying = Measuring(url, token, options.clients, RELAY_LENGTH * options.seconds)
    relaying.run(options.server, options.rounds)
    with serving(options.server) as plain, serving(options.server, THROTTLED) as throttled:
        benchmark = Benchmark(options, url, watch, plain, throttled, token)
        benchmark.run()
    figures = [*promises(benchmark.cases), *relaying.results.promises()]
    print(table(benchmark.cases))
    print("\n" + relaying.results.table())
    print("\n" + aligned(rows("promise", figures, "kept", "MISSED"), left=4))
    print("\n" + aligned(rows("goal", goals(benchmark.cases), "reached", "not reached"), left=4))
    problems = watch.problems() + relaying.problems + audit(PLAIN, but_for=WITHOUT_WORKER)
    print("\n" + ("\n".join(problems) or "Every copy and every event is accounted for, and the audit is clean."))
    write_json(options.json, benchmark.cases, relaying.results, problems, machine(watch.version()))
    print(f"\nWritten: {os.path.relpath(options.json)}")
    return 1 if problems or not all(figure.is_kept for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
