"""A shop of one book, whose orders are interrupted by crashes and then recovered."""

import os
import random
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from cloudmart.database.clock import DatabaseNow
from cloudmart.outbox.models import OutboxConsumer
from cloudmart.sandbox.ledger import entries_in, live, reading
from cloudmart.webhooks.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from inventory.models import InventoryRecord
from orders.models import Mail, MailStatus, Order, SagaStyle
from orders.price_rules import CouponUse, Discount
from sagas.desk.cancelling import cancel_order
from sagas.engine.lease import has_work_left
from sagas.engine.recovery import due
from sagas.management.commands.run_worker import run_once, tasks
from sagas.models import SagaInstance
from sagas.operations.figures.workers import Heartbeat
from sagas.streams import publisher as publishing
from sagas.streams.publisher import Publisher
from tests.acceptance.conftest import money_kept, parcels_on_their_way
from tests.bookkeeping import findings
from tests.conftest import send_mails_to
from tests.crash.boundaries import MAIL, STREAM, WEBHOOK, Interruption, Process, Run
from tests.crash.consumers import Consumers, consuming, waiting
from tests.crash.letters import Letters, delivering
from tests.crash.stories import BOOK, COUPON, End, Request, Story
from tests.sandbox import RunningSandbox
from tests.webhooks import make_endpoint

SAMPLE = os.environ.get("CRASH_SAMPLE", "1")
"""The number of boundaries that are tried of each story, or `all`."""
SEED = os.environ.get("CRASH_SEED", "1")
PASSES = 4
"""Runs of the worker after which a saga has to be finished."""


def some(boundaries: Sequence[int], *seed: str, of_all: int | None = None) -> list[int]:
    """Returns the boundaries to try in this run; if it tries all, at most `of_all`."""
    if SAMPLE == "all" and of_all is None:
        return list(boundaries)
    number = int(SAMPLE) if SAMPLE != "all" else of_all or 0
    return sorted(random.Random(" ".join((SEED, *seed))).sample(boundaries, min(number, len(boundaries))))


class Figure(NamedTuple):
    """How often a story was interrupted."""

    story: str
    boundaries: int
    tried: int


FIGURES: list[Figure] = []
REMARKS: list[str] = []
"""Lines of the summary at the end."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        tried = sum(figure.tried for figure in FIGURES)
        terminalreporter.section(f"{tried} crashes (CRASH_SAMPLE={SAMPLE} CRASH_SEED={SEED})")
    if SAMPLE == "all":
        for figure in FIGURES:
            terminalreporter.line(f"{figure.tried:4} at {figure.boundaries:2} boundaries: {figure.story}")
    for remark in REMARKS:
        terminalreporter.line(remark)


@contextmanager
def noting(*crashes: str) -> Iterator[None]:
    """Adds the crashes as a note to an error within the block."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"after {', then '.join(crashes)} (CRASH_SEED={SEED})")
        raise


def each(stories: Sequence[Story]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("story", stories, ids=lambda story: story.name.replace(" ", "_"))


@dataclass
class Shop:
    """Begins the stories of one style."""

    client: APIClient
    outside: RunningSandbox
    letters: Letters
    consumers: Consumers
    style: str

    def begin(self, story: Story) -> "Attempt":
        shelf = InventoryRecord.objects.get(pk=BOOK)
        known = list(Order.objects.values_list("pk", flat=True))
        return Attempt(self, story, known, shelf, story.prepare(self.client, self.style, story))


@dataclass
class Attempt:
    """One order of a story, which is interrupted and recovered."""

    shop: Shop
    story: Story
    known: list[UUID]
    shelf: InventoryRecord
    request: Request

    def start(self, interruption: Interruption | None = None) -> Process:
        """Starts a process that makes the request."""
        self.turn(self.story.knobs)
        return Process(self.request, interruption)

    def turn(self, knobs: Mapping[str, Mapping[str, float]]) -> None:
        for provider in ("payments", "carrier"):
            self.shop.outside.turn(provider, **knobs.get(provider, {}))

    def interrupt(self, interruption: Interruption | None = None) -> Run:
        with self.start(interruption) as process:
            run = process.end()
        assert due(10) == [], "the lease of a driver that may be alive is free"
        self.change_conditions()
        return run

    def has_begun(self, run: Run) -> bool:
        return run.commits > self.story.idle_commits

    @property
    def order_id(self) -> UUID | None:
        """None if there is no order. Raises MultipleObjectsReturned."""
        new = Order.objects.exclude(pk__in=self.known)
        return new.get().pk if new.exists() else None

    def change_conditions(self) -> None:
        """Ends the providers' failures, and begins the later ones of the story."""
        self.turn(self.story.later_knobs)
        if self.order_id:
            self.story.meanwhile(self.order_id)

    def recover(self) -> None:
        """Runs workers until nothing is left to do."""
        run_workers()
        if self.story.may_wait and self.order_id and unfinished():
            check_audit()
            cancel_order(self.order_id, "It takes too long.")
            run_workers()

    def repeat(self) -> None:
        """Repeats the request, as a client without a response does."""
        self.turn({})
        self.request()
        self.recover()

    def check(self, *ends: End | None, repeated: Collection[str] = ()) -> None:
        """Checks that the order has one of these ends, that every invariant holds, and that all consumers have it.

        They may have it twice if MAIL, WEBHOOK or STREAM was repeated.
        """
        assert not unfinished(), "a saga is not finished"
        end = self.end()
        assert end in ends
        is_used = end is not None and end.order in {"completed", "returned"}
        assert CouponUse.objects.filter(pk=self.order_id).exists() is is_used
        check_audit()
        self.check_wallets()
        assert waiting() == 0
        if end and self.order_id:
            outcomes = self.story.mailed_before | ({end.order} & {"completed", "cancelled", "returned"})
            self.check_mails(outcomes, most_copies=2 if MAIL in repeated else 1)
            self.shop.consumers.check(self.order_id, outcomes)
            webhooks, published = self.shop.consumers.repetitions(self.order_id)
            assert (WEBHOOK in repeated or webhooks == 0) and (STREAM in repeated or published == 0)

    def check_wallets(self) -> None:
        """Checks that wallets have paid what is left of their charges."""
        ledger = self.shop.outside.ledger
        left = {key: amount for (_, _, key), amount in live(entries_in(ledger)).items()}
        with reading(ledger) as file:
            paid = file.execute("SELECT charge, -SUM(amount) FROM wallet_entries GROUP BY charge HAVING charge <> ''")
            assert all(left.get(charge, 0) == amount for charge, amount in paid)

    def check_mails(self, outcomes: set[str], most_copies: int) -> None:
        """Checks that each of these outcomes is recorded and mailed once, or in so many equal copies."""
        mails = Mail.objects.filter(order=self.order_id)
        assert {mail.outcome for mail in mails} == outcomes and len(mails) == len(outcomes)
        assert {mail.status for mail in mails} == {"sent"} if outcomes else not mails
        for mail in mails:
            copies = self.shop.letters.copies_of(mail)
            assert 1 <= len(copies) <= most_copies and len(set(copies)) == 1

    def end(self) -> End | None:
        """Returns the end of the order; None if nothing of it is stored."""
        if (order_id := self.order_id) is None:
            return None
        shelf = InventoryRecord.objects.get(pk=BOOK)
        left = live(entries_in(self.shop.outside.ledger, order_id=order_id))
        saga = SagaInstance.objects.filter(order_id=order_id).first()
        return End(
            Order.objects.get(pk=order_id).status,
            saga.status if saga else "",
            money_kept(str(order_id)),
            parcels_on_their_way(str(order_id)),
            self.shelf.on_hand - shelf.on_hand,
            shelf.reserved - self.shelf.reserved,
            tuple(sorted((provider, amount) for (provider, *_), amount in left.items())),
        )


def expire_waits() -> None:
    """Has every lease expire, and every wait end."""
    past = DatabaseNow() - timedelta(minutes=1)
    SagaInstance.objects.exclude(lease_until=None).update(lease_until=past)
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=past)
    Mail.objects.filter(status=MailStatus.PENDING).update(due_at=past)
    OutboxConsumer.objects.exclude(lease_until=None).update(lease_until=past)
    WebhookEndpoint.objects.update(due_at=past)
    WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING).update(due_at=past)


def run_workers() -> None:
    """Runs one worker after another until every saga is finished, PASSES times at most."""
    for _ in range(PASSES):
        expire_waits()
        call_command("run_worker", "--once")
        if not unfinished():
            break


RELAYS = {"mail events", "mails", "stream", "webhooks", "webhook sender"}


def relay() -> None:
    """Does what a worker does for the consumers of events, once."""
    run_once(*[task for task in tasks(Heartbeat(), interval=1) if task.name in RELAYS])


def unfinished() -> bool:
    return SagaInstance.objects.filter(has_work_left()).exists()


def check_audit() -> None:
    assert findings() == {}


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Iterator[Callable[[Sequence[str]], None]]:
    """Counts one more crash of a story with these boundaries."""
    tried: list[Sequence[str]] = []
    yield tried.append
    if tried:
        FIGURES.append(Figure(request.node.name, len(tried[0]), len(tried)))


@pytest.fixture(scope="session")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Letters]:
    """What a mail server in a process of its own has accepted."""
    with delivering(tmp_path_factory.mktemp("letters") / "maildir") as letters:
        yield letters


@pytest.fixture(scope="session")
def running_consumers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumers]:
    with consuming(tmp_path_factory.mktemp("consumers")) as consumers:
        yield consumers


@pytest.fixture
def consumers(
    running_consumers: Consumers, transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Consumers]:
    """The receiver has an endpoint for all events, and the streams are empty. Afterwards both run again."""
    settings.EVENTS_URL, settings.EVENTS_PARTITIONS = running_consumers.redis.url, 2
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    monkeypatch.setattr(publishing, "FIRST_BACKOFF", timedelta(0))
    monkeypatch.setattr(publishing, "publisher", Publisher())
    running_consumers.empty()
    make_endpoint(url=running_consumers.receiver.url())
    yield running_consumers
    running_consumers.restore()


@pytest.fixture(params=SagaStyle, ids=str)
def shop(
    request: pytest.FixtureRequest,
    api: APIClient,
    outside: RunningSandbox,
    letters: Letters,
    consumers: Consumers,
    shelve: Callable[..., None],
    settings: Any,
) -> Shop:
    shelve(BOOK, 100_000)
    Discount.objects.create(name="Counted", code=COUPON, percent_off=0, max_uses=100_000)
    settings.AUDIT_GRACE = timedelta(0)
    settings.LEASE = settings.SAGA_BACKOFF = settings.SAGA_MAX_BACKOFF = timedelta(hours=1)
    with closing(sqlite3.connect(outside.ledger, timeout=30)) as ledger, ledger:
        ledger.execute("DELETE FROM entries")
        ledger.execute("DELETE FROM requests")
        ledger.execute("DELETE FROM wallet_entries")
    send_mails_to(letters.port, settings)
    return Shop(api, outside, letters, consumers, request.param)
