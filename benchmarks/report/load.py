"""Runs the load on a shop, and gathers what was measured."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from benchmarks.loads import BOOKS, STYLES
from benchmarks.processes import machine
from benchmarks.report.calls import calls_of_orders
from benchmarks.report.document import Load, Report
from benchmarks.report.endings import courses, endings, strangers
from benchmarks.report.figures import Measured, StyleFigures, figures, undisturbed
from benchmarks.report.stories import FEW_COPIES, LAST_COPIES
from benchmarks.report.surroundings import issue_tokens, providers, running
from benchmarks.report.users import Result, run_users
from benchmarks.server import audit, serving
from orders.models import Mail, MailStatus, Order
from sagas.models import UNFINISHED, SagaInstance

COPIES = 1_000_000
PATIENCE = 30
"""Seconds that unfinished orders and their mails are given when the load has ended."""


@dataclass(frozen=True, slots=True)
class Options:
    users: int = 50
    rate: float = 10.0
    """Orders per second, of all users together."""
    seconds: float = 30.0
    """Of each round, in each style."""
    rounds: int = 2
    warm_up: float = 2.0
    """Seconds of load in each style whose orders are not measured; the audit sees them."""


@dataclass(slots=True)
class Rounds:
    """What the rounds of one style have given."""

    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    def run(self, port: int, tokens: Sequence[str], style: str, rate: float, seconds: float) -> None:
        """Adds a round, which begins with enough of the last copies for half of those who want them."""
        wanted = rate * seconds * FEW_COPIES.share / 100
        call_command("add_stock", LAST_COPIES, max(1, round(wanted / 2)), stdout=StringIO())
        began = time.monotonic()
        self.results += run_users(port, tokens, style, rate, seconds)
        self.seconds += max(seconds, time.monotonic() - began)


def measure(options: Options, folder: Path) -> Report:
    """Runs the load on the shop that DATABASE_URL names, which has tables and nothing else.

    The folder takes the providers' ledger and the calls.
    """
    ledger = folder / "ledger.sqlite3"
    call_command("seed", books=BOOKS, copies=COPIES)
    tokens = issue_tokens(options.users)
    with ExitStack() as stack:
        settings = stack.enter_context(providers(ledger, folder))
        stack.enter_context(running("run_worker", settings=settings))
        server = stack.enter_context(serving("granian", settings))
        for style in STYLES:
            Rounds().run(server.port, tokens, style, options.rate, options.warm_up)
        earlier = set(Order.objects.values_list("pk", flat=True))
        played = play(server.port, tokens, options)
        wait_until_finished()
        problems = audit(settings)
    problems += (
        f"{order_id}: a provider knows this order, and the database does not" for order_id in strangers(ledger)
    )
    return Report(load_of(options), list(all_figures(played, earlier, ledger, folder)), problems)


def play(port: int, tokens: Sequence[str], options: Options) -> dict[str, Rounds]:
    """Runs all rounds. Every other round is reversed, so that drift affects both styles alike."""
    played = {style: Rounds() for style in STYLES}
    for number in range(options.rounds):
        for style in STYLES if number % 2 == 0 else reversed(STYLES):
            played[style].run(port, tokens, style, options.rate, options.seconds)
    return played


def wait_until_finished() -> None:
    """Waits until every saga is finished and its mail is sent, at most PATIENCE seconds.

    What is unfinished then is a figure, and a bad one.
    """
    deadline = time.monotonic() + PATIENCE
    while is_unfinished() and time.monotonic() < deadline:
        time.sleep(0.2)


def is_unfinished() -> bool:
    """Returns True while the worker has an order or a mail of the load to conclude."""
    sagas = SagaInstance.objects.filter(status__in=UNFINISHED)
    return sagas.exists() or Mail.objects.filter(status=MailStatus.PENDING).exists()


def all_figures(
    played: dict[str, Rounds], earlier: Collection[object], ledger: Path, folder: Path
) -> Iterator[StyleFigures]:
    every, calls = endings(ledger, earlier), calls_of_orders(folder, ledger)
    for style, rounds in played.items():
        of_style = {ending.order_id: ending for ending in every if ending.style == style}
        measured = Measured(style, rounds.seconds, rounds.results, of_style, calls)
        course = courses(result.order.order_id for result in undisturbed(measured))
        yield figures(measured, course)


def load_of(options: Options) -> Load:
    version = ".".join(map(str, connection.get_database_version()))
    return Load(
        users=options.users,
        orders_per_minute=options.rate * 60,
        seconds=options.seconds * options.rounds,
        machine=machine(f"{connection.display_name} {version}"),
        measured_at=datetime.now(UTC).strftime("%Y-%m-%d"),
    )
