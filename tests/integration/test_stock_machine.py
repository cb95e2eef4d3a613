"""The stock commands against a model: model, rows, replayed ledger and read model always agree."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as shop
from django.db import connection, transaction
from django.db.models import Sum
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import StockRequest
from cloudmart.outbox.models import OutboxEvent
from inventory import services
from inventory.models import Book, InventoryRecord, InventoryView, PendingEvent, Reservation, StockEvent, SubShelf
from inventory.projector import catch_up
from inventory.services import reserving
from inventory.stock import EventType, Stock, StockChange
from tests.clock import database_clock
from tests.rounds import rounds

SEQUENCES = rounds(150, ci=2000) if connection.vendor == "sqlite" else rounds(50, ci=100)
BOOKS = ("book-a", "book-b")
ORDERS = tuple(new_id() for _ in range(3))
CUSTOMERS = ("ann", "bob")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

books = st.sampled_from(BOOKS)
orders = st.sampled_from(ORDERS)
copies = st.integers(1, 4)
baskets = st.dictionaries(books, copies, min_size=1)


class Refused(Exception):
    """A refusal by the model, with the problem codes that the shop may refuse with."""


@dataclass(frozen=True)
class Hold:
    copies: int
    status: str
    since: datetime
    until: datetime
    draft_of: str | None = None
    released: datetime | None = field(default=None, compare=False)

    def is_live(self, now):
        return self.status == "active" and now < self.until

    def is_expired(self, now):
        return self.status == "active" and now >= self.until


class Model:
    """The rules of the stock in a few lines: copies on hand, and reservations."""

    def __init__(self):
        self.on_hand = dict.fromkeys(BOOKS, 0)
        self.holds = {}

    def reserved(self, book):
        return sum(hold.copies for (_, held), hold in self.holds.items() if held == book and hold.status == "active")

    def add(self, book, copies):
        self.on_hand[book] += copies

    def adjust(self, now, book, delta):
        if self.on_hand[book] + delta < self.reserved(book):
            self._sweep(now, [book])
        if self.on_hand[book] + delta < self.reserved(book):
            raise Refused("stock_is_reserved")
        self.on_hand[book] += delta

    def reserve(self, now, order, basket):
        known = [(self.holds[order, book], basket[book]) for book in basket if (order, book) in self.holds]
        if any(hold.copies != wanted for hold, wanted in known):
            raise Refused("reservation_differs", "reservation_ended")
        if any(hold.status != "confirmed" and not hold.is_live(now) for hold, _ in known):
            raise Refused("reservation_ended")
        wanted = {book: n for book, n in basket.items() if (order, book) not in self.holds}
        self._find_room(now, wanted)
        for book, n in wanted.items():
            self.holds[order, book] = Hold(n, "active", now, now + shop.RESERVATION_TTL)

    def hold(self, now, order, basket, draft_of):
        mine = {book: self.holds[order, book] for book in basket if (order, book) in self.holds}
        for book, hold in mine.items():
            if hold.is_expired(now):
                self.holds[order, book] = replace(hold, status="expired")
        live = {book: hold for book, hold in mine.items() if hold.is_live(now)}
        anew = {book: self._anew(now, book, n, draft_of) for book, n in basket.items()}
        kept = {book: replace(hold, copies=basket[book]) for book, hold in live.items()} if draft_of else {}
        if any(not hold.is_live(now) for book, hold in anew.items() if book not in kept):
            raise Refused("held_too_long")
        self._find_room(now, basket, {book: hold.copies for book, hold in live.items()})
        if any(hold.status == "confirmed" for hold in mine.values()):
            raise Refused("illegal_move")
        for book, hold in {**anew, **kept}.items():
            self.holds[order, book] = hold

    def extend(self, now, order):
        mine = {
            key: hold for key, hold in self.holds.items() if key[0] == order and hold.status in {"active", "expired"}
        }
        if not all(hold.is_live(now) for hold in mine.values()):
            raise Refused("reservation_expired")
        for key, hold in mine.items():
            longest = min(now + shop.RESERVATION_TTL, hold.since + shop.RESERVATION_CAP)
            self.holds[key] = replace(hold, until=max(hold.until, longest))

    def confirm(self, now, order, basket):
        mine = {book: self.holds.get((order, book)) for book in basket}
        there = [hold for hold in mine.values() if hold]
        if there and all(hold.status == "confirmed" for hold in there):
            return
        if not all(hold and hold.is_live(now) for hold in mine.values()):
            raise Refused("reservation_expired")
        for book, hold in mine.items():
            self.on_hand[book] -= hold.copies
            self.holds[order, book] = replace(hold, status="confirmed")

    def release(self, now, order, basket):
        for book in basket:
            hold = self.holds.get((order, book))
            if hold and hold.status in {"active", "confirmed"}:
                self.on_hand[book] += hold.copies if hold.status == "confirmed" else 0
                self.holds[order, book] = replace(hold, status="released", released=now)

    def expire(self, now):
        self._sweep(now, BOOKS)

    def _anew(self, now, book, copies, draft_of):
        if draft_of is None:
            return Hold(copies, "active", now, now + shop.RESERVATION_TTL)
        lately = now - shop.RESERVATION_TTL
        begun = [
            hold.since
            for (_, held), hold in self.holds.items()
            if (held, hold.draft_of) == (book, draft_of)
            if hold.status != "confirmed" and hold.until > lately
            if hold.status != "released" or hold.released > lately
        ]
        since = min(begun, default=now)
        until = min(now + shop.RESERVATION_TTL, since + shop.RESERVATION_CAP)
        return Hold(copies, "active", since, until, draft_of)

    def _find_room(self, now, wanted, held=None):
        def is_short():
            return any(
                n > self.on_hand[book] - self.reserved(book) + (held or {}).get(book, 0) for book, n in wanted.items()
            )

        if is_short():
            self._sweep(now, wanted)
        if is_short():
            raise Refused("out_of_stock")

    def _sweep(self, now, shelves):
        for key, hold in self.holds.items():
            if key[1] in shelves and hold.is_expired(now):
                self.holds[key] = replace(hold, status="expired")


class StockMachine(RuleBasedStateMachine):
    """Real services on a real database, each call in a transaction. Each sequence is rolled back."""

    def __init__(self):
        super().__init__()
        self.model, self.now = Model(), NOON
        self.clock = database_clock(lambda: self.now)
        self.clock.__enter__()
        self.sequence = transaction.atomic()
        self.sequence.__enter__()
        Book.objects.bulk_create(Book(id=book, title=book, price=1) for book in BOOKS)
        InventoryRecord.objects.bulk_create(InventoryRecord(book_id=book) for book in BOOKS)
        self.history = defaultdict(lambda: [Stock()])
        self.last = None
        self.thresholds, self.low, self.announced = dict.fromkeys(BOOKS), set(), 0

    def teardown(self):
        transaction.set_rollback(True)
        self.sequence.__exit__(None, None, None)
        self.clock.__exit__(None, None, None)

    def both(self, act, expect):
        """Asserts that services and model do or refuse the same; a refusal changes nothing in either."""
        self.last = act, expect
        before = self.model.on_hand.copy(), self.model.holds.copy()
        try:
            expect()
            expected = set()
        except Refused as refusal:
            expected = set(refusal.args)
            self.model.on_hand, self.model.holds = before
        try:
            with transaction.atomic():
                act()
            code = None
        except DomainError as refusal:
            code = refusal.code
        assert code in expected if expected else code is None, (code, expected)

    @rule(book=books, copies=copies)
    def add(self, book, copies):
        self.both(lambda: services.add_stock(book, copies), lambda: self.model.add(book, copies))

    @rule(book=books, delta=st.integers(-4, 4).filter(bool))
    def adjust(self, book, delta):
        self.both(
            lambda: services.adjust_stock(book, delta, reason="counted", actor="clerk"),
            lambda: self.model.adjust(self.now, book, delta),
        )

    @rule(order=orders, basket=baskets)
    def reserve(self, order, basket):
        self.both(
            lambda: services.reserve_stock(StockRequest(order, basket, "ann")),
            lambda: self.model.reserve(self.now, order, basket),
        )

    @rule(order=orders, basket=baskets, draft_of=st.sampled_from((None, *CUSTOMERS)))
    def hold(self, order, basket, draft_of):
        self.both(
            lambda: services.set_reserved_quantities(StockRequest(order, basket, "ann"), draft_of=draft_of),
            lambda: self.model.hold(self.now, order, basket, draft_of),
        )

    @rule(order=orders)
    def extend(self, order):
        self.both(lambda: services.extend_reservations(order), lambda: self.model.extend(self.now, order))

    @rule(order=orders, basket=baskets)
    def confirm(self, order, basket):
        self.both(
            lambda: services.confirm_stock(StockRequest(order, basket, "ann")),
            lambda: self.model.confirm(self.now, order, basket),
        )

    @rule(order=orders, basket=baskets)
    def release(self, order, basket):
        self.both(
            lambda: services.release_stock(StockRequest(order, basket, "ann"), "cancelled"),
            lambda: self.model.release(self.now, order, basket),
        )

    @rule()
    def expire(self):
        self.both(lambda: services.expire_reservations(100), lambda: self.model.expire(self.now))

    @rule()
    def again(self):
        """Repeats the last command."""
        if self.last:
            self.both(*self.last)

    @rule(book=books, threshold=st.none() | st.integers(0, 5))
    def set_threshold(self, book, threshold):
        services.set_low_stock_threshold(book, threshold)
        self.thresholds[book] = threshold

    @rule(minutes=st.sampled_from([-5, 1, 7, 15]))
    def clock_moves(self, minutes):
        """Forward or back, as after a failover to a server with another clock."""
        self.now += timedelta(minutes=minutes)

    @rule(which=st.none() | st.lists(books, max_size=2))
    def project(self, which):
        catch_up(which)
        for book, *numbers in InventoryView.objects.values_list("pk", "on_hand", "reserved", "available"):
            if which is None or book in which:
                on_hand, reserved = self.model.on_hand[book], self.model.reserved(book)
                assert numbers == [on_hand, reserved, on_hand - reserved]

    @invariant()
    def all_agree(self):
        self._replay_new_events()
        rows = InventoryRecord.objects.values_list("pk", "on_hand", "reserved", "version", "changed_at")
        for book, on_hand, reserved, version, _ in rows:
            assert self.history[book][-1] == Stock(on_hand, reserved, version)
            self.agrees(book, on_hand, reserved)
        for book, *numbers in InventoryView.objects.values_list("pk", "on_hand", "reserved", "version"):
            assert self.history[book][numbers[-1]] == Stock(*numbers), "a lagging row has the stock of its version"
        holds = Reservation.objects.values_list(
            "order_id", "shelf_id", "quantity", "status", "held_since", "expires_at", "held_for"
        )
        assert {(order, book): Hold(*terms) for order, book, *terms in holds} == self.model.holds

    @invariant()
    def low_stock_is_announced_once(self):
        rows = {row.pk: row for row in InventoryRecord.objects.all()}
        assert {book: row.low_stock_threshold for book, row in rows.items()} == self.thresholds
        low = {
            book
            for book, threshold in self.thresholds.items()
            if threshold is not None and rows[book].on_hand - rows[book].reserved <= threshold
        }
        new = list(OutboxEvent.objects.order_by("position")[self.announced :])
        for event in new:
            assert event.type == "stock.low" and event.payload["available"] <= event.payload["threshold"]
        self.announces(low - self.low, [event.subject for event in new])
        self.low, self.announced = low, self.announced + len(new)

    def announces(self, became_low, subjects):
        """Asserts that the new events are those of the books whose stock has become low."""
        assert sorted(subjects) == sorted(became_low)

    def agrees(self, book, on_hand, reserved):
        """Asserts that these copies of the book are those of the model."""
        assert (on_hand, reserved) == (self.model.on_hand[book], self.model.reserved(book))

    def _replay_new_events(self):
        """Replays the new events of the ledger, and asserts that their versions have no gap."""
        columns = ("shelf_id", "version", "type", "on_hand_delta", "reserved_delta", "on_hand_after", "reserved_after")
        for book in BOOKS:
            known = len(self.history[book]) - 1
            new = StockEvent.objects.filter(shelf=book, version__gt=known).order_by("version").values_list(*columns)
            for _, version, kind, on_hand_delta, reserved_delta, *after in new:
                stock = self.history[book][-1].after(StockChange(EventType(kind), on_hand_delta, reserved_delta))
                assert stock == Stock(*after, version)
                self.history[book].append(stock)


class SplitStockMachine(StockMachine):
    """The same with books that are split, differently split and put together again."""

    @initialize()
    def split_all(self):
        for book in BOOKS:
            services.split_book(book, 2)

    @rule(book=books, shards=st.integers(1, 3))
    def split(self, book, shards):
        services.split_book(book, shards)
        assert SubShelf.objects.filter(shelf=book).count() == (shards if shards > 1 else 0)

    def announces(self, became_low, subjects):
        """A command can announce it twice: of the pending events that it moves, and of its own."""
        assert became_low <= set(subjects) and all(subjects.count(book) <= 2 for book in subjects)

    def agrees(self, book, on_hand, reserved):
        """Asserts it of the row with its pending events, and of the sub-shelves together."""
        pending = sums(PendingEvent.objects.filter(shelf=book), "on_hand_delta", "reserved_delta")
        super().agrees(book, on_hand + pending[0], reserved + pending[1])
        shares = SubShelf.objects.filter(shelf=book)
        if shares:
            super().agrees(book, *sums(shares, "on_hand", "reserved"))


def sums(rows, *columns):
    return [number or 0 for number in rows.aggregate(*map(Sum, columns)).values()]


@override_settings(RESERVATION_CAP=timedelta(minutes=20))
@pytest.mark.parametrize(("machine", "shards"), [(StockMachine, 1), (SplitStockMachine, 3)])
def test_model_rows_ledger_and_read_model_agree_at_every_step(db, monkeypatch, machine, shards):
    monkeypatch.setattr(shop, "SHELF_SHARDS", shards)
    monkeypatch.setattr(reserving, "FEW", 0)
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=SEQUENCES, stateful_step_count=10, deadline=None, suppress_health_check=checks),
    )
