"""Measures only what webhooks and streams cost: python -m benchmarks.relay."""

import argparse
import os
import signal
import sys

from benchmarks.__main__ import prepare
from benchmarks.database import Watch
from benchmarks.processes import machine
from benchmarks.promises import rows
from benchmarks.relay.measuring import Measuring
from benchmarks.server import exit_on_sigterm
from benchmarks.table import aligned


def options_from(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.relay", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each window (default: 10)")
    parser.add_argument("--rounds", type=int, default=3, help="each measures every case once (default: 3)")
    parser.add_argument("--clients", type=int, default=16, help="(default: 16)")
    return parser.parse_args(arguments)


def main() -> int:
    """Returns 0 if every promise is kept, everything has arrived once and the audit is clean, else 1."""
    options = options_from(sys.argv[1:])
    signal.signal(signal.SIGTERM, exit_on_sigterm)
    url = os.environ.get("DATABASE_URL", "")
    watch = Watch(url)
    watch.refuse_filled_database()
    measuring = Measuring(url, prepare(), options.clients, options.seconds)
    measuring.run("granian", options.rounds)
    figures = list(measuring.results.promises())
    print(machine(watch.version()))
    print(measuring.results.table())
    print("\n" + aligned(rows("promise", figures, "kept", "MISSED"), left=4))
    problems = watch.problems() + measuring.problems
    print("\n" + ("\n".join(problems) or "Everything has arrived once, and the audit is clean."))
    return 1 if problems or not all(figure.is_kept for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
