"""Compares what an order costs in a small shop and in a large one: python -m benchmarks.growth.

Needs the DATABASE_URL of an empty database, creates a second one on the same server, and reads the server's processor
time from /proc, so that the server must run on this machine: bin/bench growth provides all of it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from benchmarks.database import Counts, Watch, connect
from benchmarks.loads import STYLES
from benchmarks.processes import processor_seconds
from benchmarks.server import ROOT
from benchmarks.table import aligned

LIMIT = 1.1
"""The cost of an order in the large shop, divided by that in the small one."""
WARM_UP = 50
"""Orders of each style, before anything is measured."""
IDLE = 0.02
"""The share of a second of processor time below which the server counts as idle."""


@dataclass(slots=True)
class Cost:
    """What the orders of one style cost in one shop."""

    python: list[float] = field(default_factory=list)
    """Milliseconds of processor time of each order."""
    database: list[float] = field(default_factory=list)
    """Milliseconds of processor time of the server per order, of each batch."""
    statements: list[float] = field(default_factory=list)
    """Statements per order, of each batch."""


class Shop:
    """A database with this number of orders, and a process that adds further ones."""

    def __init__(self, url: str, orders: int, server: int) -> None:
        self._server = server
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.growing_shop", str(orders)],
            cwd=ROOT,
            env={"SECRET_KEY": "benchmark", **os.environ, "DATABASE_URL": url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        while (line := self._line()) != "ready":
            print(line)
        self._watch = Watch(url)
        self.costs = {style: Cost() for style in STYLES}

    def place(self, style: str, orders: int) -> list[float]:
        """Places orders. Returns the milliseconds of processor time that the process took for each."""
        print(style, orders, file=self._process.stdin, flush=True)
        return list(json.loads(self._line()))

    def measure(self, style: str, orders: int) -> None:
        """Measures one batch."""
        cost, before = self.costs[style], self._counts()
        began = processor_seconds(self._server)
        cost.python += self.place(style, orders)
        cost.database.append((processor_seconds(self._server) - began) * 1000 / orders)
        counts = self._counts() - before
        cost.statements.append(counts.per_order(counts.statements))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _counts(self) -> Counts:
        return self._watch.counts_when_finished()

    def _line(self) -> str:
        if line := self._process.stdout.readline():
            return line.strip()
        raise SystemExit("The process that places the orders has ended.")


def second_database(url: str) -> str:
    """Creates a second database on the server. Returns its DATABASE_URL."""
    name = urlsplit(url).path.lstrip("/") + "_large"
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    connection.close()
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def wait_until_idle(server: int, timeout: float = 600) -> None:
    """Waits until the server has written and purged what filling left behind, up to `timeout` seconds."""
    deadline = time.monotonic() + timeout
    used = processor_seconds(server)
    while time.monotonic() < deadline:
        time.sleep(1)
        before, used = used, processor_seconds(server)
        if used - before < IDLE:
            return


@contextmanager
def both_shops(url: str, sizes: tuple[int, int], server: int) -> Iterator[tuple[Shop, Shop]]:
    small = Shop(url, sizes[0], server)
    large = Shop(second_database(url), sizes[1], server)
    yield small, large
    small.close()
    large.close()


def measure(small: Shop, large: Shop, batches: int, orders: int) -> None:
    """Measures both shops in turn, in a changing order, so that drift affects both alike."""
    for shop in (small, large):
        for style in STYLES:
            shop.place(style, WARM_UP)
    for number in range(batches):
        for style in STYLES:
            for shop in (small, large) if number % 2 == 0 else (large, small):
                shop.measure(style, orders)


def ratios(small: Shop, large: Shop) -> Iterator[tuple[str, float, float]]:
    """Returns what is compared, in the small shop and in the large one: medians, of the orders or of the batches."""
    for style in STYLES:
        for what in ("statements", "python", "database"):
            few, many = (median(getattr(shop.costs[style], what)) for shop in (small, large))
            yield f"{style}, {what}{' ms' * (what != 'statements')}", few, many


def options_from(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=__doc__)
    parser.add_argument("--small", type=int, default=1_000, help="orders in the small shop (default: 1,000)")
    parser.add_argument("--large", type=int, default=300_000, help="orders in the large shop (default: 300,000)")
    parser.add_argument("--batches", type=int, default=5, help="of each style in each shop (default: 5)")
    parser.add_argument("--orders", type=int, default=100, help="of a batch (default: 100)")
    return parser.parse_args(arguments)


def main() -> int:
    """Returns 0 if no cost grows beyond LIMIT, else 1."""
    options = options_from(sys.argv[1:])
    url, server = os.environ.get("DATABASE_URL", ""), int(os.environ["DATABASE_SERVER_PID"])
    Watch(url).refuse_filled_database()
    with both_shops(url, (options.small, options.large), server) as (small, large):
        wait_until_idle(server)
        measure(small, large, options.batches, options.orders)
    compared = list(ratios(small, large))
    headings = ("an order", f"at {options.small:,}", f"at {options.large:,}", "ratio", f"limit {LIMIT}")
    rows: list[Any] = [headings]
    for what, few, many in compared:
        ratio = many / few
        rows.append((what, f"{few:.2f}", f"{many:.2f}", f"{ratio:.3f}", "kept" if ratio <= LIMIT else "MISSED"))
    print(aligned(rows, left=1))
    return 0 if all(many / few <= LIMIT for _, few, many in compared) else 1


if __name__ == "__main__":
    sys.exit(main())
