"""Measures the stock: a book with a long history beside one with a short, and many reservations that expire at once.

python -m benchmarks.stock, on the empty database that DATABASE_URL names.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from threading import Event, Thread

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.window import percentile  # noqa: E402
from cloudmart.database.transactions import durable  # noqa: E402
from cloudmart.kernel.errors import DomainError  # noqa: E402
from cloudmart.kernel.ids import new_id  # noqa: E402
from cloudmart.kernel.order import StockRequest  # noqa: E402
from inventory import services  # noqa: E402
from inventory.locks import lock_stock  # noqa: E402
from inventory.models import Book, InventoryRecord, Reservation, StockEvent  # noqa: E402
from inventory.rebuild import replayed  # noqa: E402
from inventory.selectors import inventory_at  # noqa: E402
from inventory.stock import EventType, Stock, StockChange  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
SHORT, LONG, HELD = "short-history", "long-history", "long-held"
BUYERS = 3
BATCH = 5000

reserve_stock = durable(services.reserve_stock)
confirm_stock = durable(services.confirm_stock)


def sales(book_id: str, events: int, kept: int = 0) -> Iterator[StockEvent]:
    """A history of events, a second apart: a thousand copies arrive, then single ones are reserved and sold.

    The first `kept` copies that are reserved stay so.
    """
    stock, reservation = Stock(), new_id()
    for number in range(events):
        if stock.reserved > kept:
            change = stock.confirm(1)
        elif stock.available:
            change, reservation = stock.reserve(1), new_id()
        else:
            change = StockChange(EventType.STOCK_ADDED, 1000, 0)
        stock = stock.after(change)
        ids = {"reservation_id": reservation, "order_id": reservation} if change.reserved_delta else {}
        yield StockEvent(
            shelf_id=book_id,
            version=stock.version,
            type=change.type,
            on_hand_delta=change.on_hand_delta,
            reserved_delta=change.reserved_delta,
            on_hand_after=stock.on_hand,
            reserved_after=stock.reserved,
            happened_at=BEGINNING + timedelta(seconds=number),
            **ids,
        )


def in_batches(rows: Iterable[StockEvent]) -> Iterator[list[StockEvent]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


@durable
def add_book(book_id: str, copies: int = 0) -> None:
    Book.objects.create(id=book_id, title=book_id, price=1000)
    InventoryRecord.objects.create(book_id=book_id)
    if copies:
        services.add_stock(book_id, copies)


def add_history(book_id: str, events: int, kept: int = 0) -> None:
    """Adds a book with this number of events, of which the first `kept` reservations stay."""
    add_book(book_id)
    for batch in in_batches(sales(book_id, events, kept)):
        durable(StockEvent.objects.bulk_create)(batch)
    last = batch[-1]
    InventoryRecord.objects.filter(pk=book_id).update(
        on_hand=last.on_hand_after, reserved=last.reserved_after, version=events, changed_at=last.happened_at
    )


# --- A long history beside a short one --------------------------------------------------------------


def reserve(book_id: str) -> Callable[[], None]:
    order = StockRequest(new_id(), {book_id: 1}, "benchmark")

    def act() -> None:
        reserve_stock(order)

    return act


def look_back(book_id: str) -> Callable[[], object]:
    events = InventoryRecord.objects.get(pk=book_id).version
    moment = BEGINNING + timedelta(seconds=random.randrange(events))
    return lambda: inventory_at(book_id, moment)


def milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as queries:
        act()
    return len(queries)


def compare_histories(events: int, times: int) -> None:
    """Measures both in turn, so that drift affects both alike."""
    print(f"\nA book with {events:,} events beside one with 10", file=sys.stderr)
    add_history(SHORT, 10)
    add_history(LONG, events)
    for book_id in (SHORT, LONG):
        durable(services.add_stock)(book_id, 10 * times)
    print(f"{'':>12}{'short ms':>10}{'long ms':>10}{'ratio':>8}{'statements':>13}")
    for name, make in {"reserve": reserve, "as of": look_back}.items():
        counts = {book_id: statements(make(book_id)) for book_id in (SHORT, LONG)}
        seen: dict[str, list[float]] = {SHORT: [], LONG: []}
        for _ in range(times):
            for book_id, measured in seen.items():
                measured.append(milliseconds(make(book_id)))
        short, long = median(seen[SHORT]), median(seen[LONG])
        print(f"{name:>12}{short:>10.2f}{long:>10.2f}{long / short:>8.2f}{counts[SHORT]:>8} /{counts[LONG]:>3}")
    began = time.perf_counter()
    (replay,) = replayed(InventoryRecord.objects.filter(pk=LONG))
    print(f"replayed at {replay.newest / (time.perf_counter() - began):,.0f} events a second")


def look_back_far(events: int, times: int) -> None:
    """Measures the stock as of the end of a history whose first reservation is still live: all of it is read."""
    add_history(HELD, events, kept=1)
    moment = BEGINNING + timedelta(seconds=events)
    seen = sorted(milliseconds(lambda: inventory_at(HELD, moment)) for _ in range(times))
    print(f"as of {events:,} events after the oldest live reservation: {median(seen):,.0f} ms")


# --- Many reservations that expire at once ----------------------------------------------------------


def reserve_much(books: int, reservations: int) -> None:
    """Adds this number of expired reservations, spread over the books."""
    for number in range(books):
        add_book(f"held-{number:04}", copies=reservations // books)
        durable(reserve_all)(f"held-{number:04}", reservations // books)


def reserve_all(book_id: str, copies: int) -> None:
    stock = lock_stock([book_id])
    past = timezone.now() - timedelta(minutes=1)
    rows = [Reservation(order_id=new_id(), shelf_id=book_id, quantity=1, expires_at=past) for _ in range(copies)]
    for row in rows:
        stock.append(book_id, stock[book_id].reserve(1), reservation=row)
    Reservation.objects.bulk_create(rows)
    stock.save()


class Buyer(Thread):
    """Buys copies of fully reserved books, one after the other, until `stop` is set."""

    def __init__(self, books: int, stop: Event) -> None:
        super().__init__()
        self.books, self.stop = books, stop
        self.waits: list[float] = []
        self.errors: list[Exception] = []

    def run(self) -> None:
        while not self.stop.is_set():
            order = StockRequest(new_id(), {f"held-{random.randrange(self.books):04}": 1}, "benchmark")
            try:
                self.waits.append(milliseconds(lambda: (reserve_stock(order), confirm_stock(order))))  # noqa: B023
            except DomainError:
                continue  # the book is sold out by now
            except Exception as error:
                self.errors.append(error)
        connections.close_all()


def expire_much(books: int, reservations: int) -> None:
    print(f"\n{reservations:,} expired reservations over {books:,} books, {BUYERS} buyers meanwhile", file=sys.stderr)
    reserve_much(books, reservations)
    stop = Event()
    buyers = [Buyer(books, stop) for _ in range(BUYERS)]
    for buyer in buyers:
        buyer.start()
    began = time.perf_counter()
    lines = subprocess.run(
        [sys.executable, "manage.py", "expire_reservations", "--verbosity", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    seconds = time.perf_counter() - began
    stop.set()
    for buyer in buyers:
        buyer.join()
    waits = sorted(wait for buyer in buyers for wait in buyer.waits)
    batches = sorted(float(line.split()[-2]) * 1000 for line in lines[:-1])
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{lines[-1]} in {seconds:.1f} s, {len(batches)} batches; {memory:.0f} MB at most")
    print(f"batch ms: median {median(batches):.0f}, longest {batches[-1]:.0f}")
    print(f"buyers: {len(waits)} bought, {sum(len(buyer.errors) for buyer in buyers)} errors; ", end="")
    print(f"wait ms: median {median(waits):.1f}, p99 {percentile(waits, 0.99):.0f}, longest {waits[-1]:.0f}")
    print(f"still reserved: {Reservation.objects.filter(status='active', shelf__book__id__startswith='held').count()}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.stock", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="in the long history (default: 1,000,000)")
    parser.add_argument(
        "--held-for", type=int, default=100_000, help="events after a live reservation (default: 100,000)"
    )
    parser.add_argument("--times", type=int, default=300, help="measurements of each act (default: 300)")
    parser.add_argument("--holds", type=int, default=100_000, help="that expire at once (default: 100,000)")
    parser.add_argument("--books", type=int, default=1000, help="books that they are spread over (default: 1000)")
    options = parser.parse_args()
    if connection.introspection.table_names():
        raise SystemExit("This database has tables already. Give the benchmark an empty one.")
    call_command("migrate", verbosity=0)
    print(f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}")
    compare_histories(options.events, options.times)
    look_back_far(options.held_for, 10)
    expire_much(options.books, options.holds)


if __name__ == "__main__":
    main()
