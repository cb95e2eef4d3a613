"""Measures the promised figures under failures, in both styles: python -m benchmarks.report.

Needs the DATABASE_URL of an empty database; bin/bench report provides it.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
django.setup()

from benchmarks.promises import rows  # noqa: E402
from benchmarks.report.document import write  # noqa: E402
from benchmarks.report.load import Options, measure  # noqa: E402
from benchmarks.server import ROOT, exit_on_sigterm  # noqa: E402
from benchmarks.shop import create_tables  # noqa: E402
from benchmarks.table import aligned  # noqa: E402


def options_from(arguments: list[str]) -> argparse.Namespace:
    default = Options()
    parser = argparse.ArgumentParser(prog="benchmarks.report", description=__doc__)
    parser.add_argument("--users", type=int, default=default.users, help=f"(default: {default.users})")
    parser.add_argument(
        "--rate", type=float, default=default.rate, help=f"orders a second (default: {default.rate:g})"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=default.seconds,
        help=f"of each round in each style (default: {default.seconds:g})",
    )
    parser.add_argument("--rounds", type=int, default=default.rounds, help=f"(default: {default.rounds})")
    parser.add_argument("--folder", type=Path, default=ROOT / "reports", help="for the report (default: reports)")
    return parser.parse_args(arguments)


def main() -> int:
    """Returns 0 if every promise is kept and the audit is clean, else 1."""
    given = options_from(sys.argv[1:])
    signal.signal(signal.SIGTERM, exit_on_sigterm)
    create_tables()
    with TemporaryDirectory() as folder:
        report = measure(Options(given.users, given.rate, given.seconds, given.rounds), Path(folder))
    paths = write(report, given.folder)
    print(aligned(rows("promise", report.promises, "kept", "MISSED"), left=4))
    print("\n" + ("\n".join(report.problems) or "The audit is clean, at the providers too."))
    print(f"\nWritten: {', '.join(os.path.relpath(path) for path in paths)}")
    return 0 if report.is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
