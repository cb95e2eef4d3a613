"""Servers and a worker are killed repeatedly during orders, charges, refunds and parcels; then all records agree.

Every recorded event has then reached a receiver of webhooks and the streams, each subject's in order.

CRASH_SEED decides what they do and when each is killed; `make crash-test` (CRASH_SAMPLE=all) kills at least 200 times.
"""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.utils import timezone

from orders.models import Order, SagaStyle
from payments.models import Payment, Refund
from sagas.models import SagaInstance
from sagas.operations.stale_intents import KINDS
from shipping.models import Shipment
from tests.bookkeeping import differences
from tests.conftest import signed_in
from tests.crash.boundaries import Interruption, Process
from tests.crash.conftest import REMARKS, SAMPLE, SEED, check_audit, expire_waits, relay, unfinished
from tests.crash.consumers import recorded, waiting

KILLS = 200 if SAMPLE == "all" else 10
CLIENTS, COMMANDS, WORKER_RUNS = 2, 12, 6
"""Clients at a time, commands of each, and runs of the worker meanwhile."""
LAST_BOUNDARY = 40
"""A process that reaches more boundaries is not killed."""
EXPECTED = {200, 201, 202, 402, 404, 409, 503}
FAILURES = {"drop_before": 0.05, "drop_after": 0.1, "unavailable": 0.05, "error_after": 0.05, "duplicate": 0.05}
TOKENS = ("tok_ok", "tok_ok", "tok_timeout_1", "tok_unavailable_2", "tok_insufficient_funds")
PASSES = 8
"""Runs of the last worker after which everything has to be settled. All deadlines pass before the second half."""

ORDER = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}

Command = tuple[str, dict[str, Any]]


class Client:
    """Sends random commands, some of them twice, and some of them with an idempotency key."""

    def __init__(self, client: Any, chance: Random) -> None:
        self.client, self.chance = client, chance
        self.kinds = (
            self.place,
            self.cancel,
            self.charge,
            self.void,
            self.refund,
            self.refund,
            self.arrange,
            self.cancel_parcel,
        )

    def run(self) -> None:
        for _ in range(COMMANDS):
            path, body = self.chance.choice(self.kinds)()
            headers = {"Idempotency-Key": str(self.new_id())} if self.chance.random() < 0.5 else {}
            for _ in range(self.chance.choice((1, 1, 2))):
                response = self.client.post(path, body, headers=headers)
                assert response.status_code in EXPECTED, response.content

    def place(self) -> Command:
        body = {"saga": self.chance.choice(list(SagaStyle)), "payment_token": self.chance.choice(TOKENS)}
        address = {"shipping_address": "999-9999 Nowhere"} if self.chance.random() < 0.1 else {}
        return "/orders", {**ORDER, **body, **address}

    def cancel(self) -> Command:
        return f"/orders/{self.one_of(Order, 'pk')}/cancel", {}

    def charge(self) -> Command:
        body = {"amount": 1000, "payment_method": "credit_card", "payment_token": self.chance.choice(TOKENS)}
        return "/payments/process", {"order_id": self.new_or_old(Payment), **body}

    def void(self) -> Command:
        return "/payments/cancel", {"order_id": self.new_or_old(Payment)}

    def refund(self) -> Command:
        part = {"amount": self.chance.choice((100, 250, 400)), "reference": self.chance.choice("abc")}
        return "/payments/refund", {"order_id": self.one_of(Payment), **self.chance.choice(({}, part, part, part))}

    def arrange(self) -> Command:
        return "/shipping/arrange", {"order_id": self.new_or_old(Shipment), "shipping_address": "150-0001 Jingumae"}

    def cancel_parcel(self) -> Command:
        return "/shipping/cancel", {"order_id": self.new_or_old(Shipment)}

    def new_id(self) -> str:
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    def one_of(self, model: Any, column: str = "order_id") -> str:
        known = list(model.objects.order_by("pk").values_list(column, flat=True))
        return str(self.chance.choice(known)) if known else self.new_id()

    def new_or_old(self, model: Any) -> str:
        return self.new_id() if self.chance.random() < 0.5 else self.one_of(model)


def run_worker() -> None:
    for _ in range(WORKER_RUNS):
        call_command("run_worker", "--once")


def unsettled() -> bool:
    return unfinished() or any(kind.rows().exists() for kind in KINDS)


def drain() -> None:
    """Runs a worker until nothing is left, PASSES times at most.

    The outcome of a parcel call may stay unknown until the saga's deadline.
    """
    past = timezone.now() - timedelta(hours=1)
    for number in range(PASSES):
        expire_waits()
        for model in (Payment, Refund, Shipment):
            model.objects.update(updated_at=past)
        if number == PASSES // 2:
            SagaInstance.objects.update(deadline_at=past)
        call_command("run_worker", "--once")
        if not unsettled():
            return


@pytest.fixture
def run_round(customer, operator, outside, consumers, shelve, settings) -> Callable[[int], int]:
    """Runs one round, in which each process is killed at a random boundary. Returns how many were killed."""
    shelve("book-123", 100_000)
    settings.AUDIT_GRACE = timedelta(0)
    settings.LEASE, settings.STALE_INTENT = timedelta(seconds=1), timedelta(seconds=1)
    settings.SAGA_BACKOFF = settings.SAGA_MAX_BACKOFF = timedelta(seconds=0.5)
    with closing(sqlite3.connect(outside.ledger, timeout=30)) as ledger, ledger:
        ledger.execute("DELETE FROM entries")
        ledger.execute("DELETE FROM requests")
        ledger.execute("DELETE FROM wallet_entries")
    for provider in ("payments", "carrier"):
        outside.turn(provider, **FAILURES)
    client = signed_in(operator)

    def run_round(number: int) -> int:
        chance = Random(f"{SEED} {number}")
        acts = [Client(client, Random(chance.random())).run for _ in range(CLIENTS)]
        with ExitStack() as stack:
            processes = [
                stack.enter_context(Process(act, Interruption(chance.randint(1, LAST_BOUNDARY))))
                for act in (*acts, run_worker)
            ]
            return sum(not process.end().survived for process in processes)

    return run_round


def test_our_records_the_providers_and_the_consumers_agree_after_any_number_of_kills(run_round, outside, consumers):
    kills, rounds = 0, count(1)
    while kills < KILLS:
        kills += run_round(next(rounds))
    for provider in ("payments", "carrier"):
        outside.turn(provider)
    drain()
    assert not unsettled(), f"something is not settled (CRASH_SEED={SEED})"
    check_audit()
    assert differences(outside.ledger) == {"only ours": set(), "only theirs": set()}, f"CRASH_SEED={SEED}"
    relay()
    latest, steps = recorded()
    consumers.check_all(latest, steps)
    assert waiting() == 0
    tally = {model.__name__: model.objects.count() for model in (Order, Payment, Refund, Shipment)}
    REMARKS.append(f"{kills} kills of servers and workers under {tally}; records and ledger agree row by row")
    told = sum(latest.values())
    REMARKS.append(f"{told} events have reached the receiver, and {told + sum(steps.values())} the streams")
