"""Measures the pages of the admin over many orders.

Run python -m benchmarks.admin with the DATABASE_URL of an empty database.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any, NamedTuple

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
os.environ["PROVIDER_BACKOFF"], os.environ["ALLOW_MAGIC_TOKENS"] = "0", "true"
os.environ["ALLOWED_HOSTS"], os.environ["LOG_LEVEL"] = "testserver", "WARNING"
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.admin_pages import Page, desk_pages, pages  # noqa: E402
from benchmarks.shop import add_keys_and_actions, add_users, create_tables, make_sample, multiply  # noqa: E402
from orders.models import Order  # noqa: E402

DESK_LIMIT, MOST_STATEMENTS = 200, 20
"""Milliseconds that a page of the desk may take, and statements that any page may need."""


class SqlTime:
    """Adds up the seconds and the number of the statements that are executed within it."""

    def __init__(self) -> None:
        self.seconds, self.statements = 0.0, 0

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*args)
        finally:
            self.seconds += time.perf_counter() - started
            self.statements += 1


class Figures(NamedTuple):
    """Milliseconds of a page: in all, of this process's processor, and in SQL. And the number of its statements."""

    whole: float
    processor: float
    sql: float
    statements: float


def measure(client: Client, page: Page, times: int) -> Figures:
    """Returns the medians of several requests, after one that does not count."""
    request(client, page)
    return Figures(*map(median, zip(*(request(client, page) for _ in range(times)), strict=True)))


def request(client: Client, page: Page) -> Figures:
    sql, started, processor = SqlTime(), time.perf_counter(), time.process_time()
    with connection.execute_wrapper(sql):
        response = client.get(page.url, secure=True)
    whole, processor = time.perf_counter() - started, time.process_time() - processor
    if response.status_code not in {200, 302}:  # a search that finds one row leads to its page
        raise SystemExit(f"{page.url}: {response.status_code}")
    return Figures(whole * 1000, processor * 1000, sql.seconds * 1000, sql.statements)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.admin", description=__doc__)
    parser.add_argument("--orders", type=int, default=200_000, help="minimum number of orders (default: 200,000)")
    parser.add_argument("--customers", type=int, default=100_000, help="number of customers (default: 100,000)")
    parser.add_argument("--times", type=int, default=5, help="requests of each page, of which the median counts")
    parser.add_argument("--limit", type=float, default=50, help="milliseconds that a list may take (default: 50)")
    parser.add_argument("--desk-only", action="store_true", help="leave out the lists")
    options = parser.parse_args()
    create_tables()
    orders = make_sample()
    add_keys_and_actions()
    multiply(-(-options.orders // orders))
    add_users(options.customers)
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    orders = f"{Order.objects.count():,} orders"
    faults = show(f"The desk, {orders}", client, desk_pages(), options.times, DESK_LIMIT)
    if not options.desk_only:
        faults += show(f"Lists, {orders}", client, pages(client), options.times, options.limit)
    raise SystemExit(bool(faults))


def show(title: str, client: Client, shown: Iterable[Page], times: int, limit: float) -> int:
    """Prints the figures of these pages. Returns how many take longer than the limit, or need too many statements."""
    table = Table("page", "shows", "ms", "processor ms", "SQL ms", "statements", title=title)
    faults = 0
    for page in list(shown):
        figures = measure(client, page, times)
        is_slow, is_many = figures.whole > limit, figures.statements > MOST_STATEMENTS
        faults += is_slow or is_many
        table.add_row(
            page.model._meta.label,
            page.shows,
            f"{figures.whole:.0f}{' !' * is_slow}",
            *(f"{each:.1f}" for each in figures[1:3]),
            f"{figures.statements:.0f}{' !' * is_many}",
        )
    Console(width=140).print(table)
    print(f"{faults} of {table.row_count} pages took longer than {limit:g} ms or {MOST_STATEMENTS} statements.")
    return faults


if __name__ == "__main__":
    main()
