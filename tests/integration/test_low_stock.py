"""Books whose available copies fall to their threshold: each fall is announced once, in its transaction."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cloudmart.database.transactions import durable
from cloudmart.outbox.models import OutboxEvent
from inventory import pending, services
from inventory.errors import UnknownBook
from inventory.models import InventoryRecord
from inventory.projector import record_events
from inventory.services import reserving
from orders.models import SagaStyle
from tests.committed import (
    add_stock,
    adjust_stock,
    confirm_stock,
    expire_reservations,
    let_reservations_expire,
    release_stock,
    reserve_stock,
    set_low_stock_threshold,
)
from tests.conftest import order_snapshot
from tests.integration.test_races import ROUNDS, all_at_once, buyer

BOOK = "book-123"


def announced():
    """Returns the available copies that each event of low stock names, in the order of the events."""
    events = OutboxEvent.objects.filter(type="stock.low", subject=BOOK).order_by("position")
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    return [event.payload["available"] for event in events]


def order(copies=1):
    return order_snapshot((BOOK, copies))


@pytest.fixture
def shelved(shelve):
    """Five copies, with the threshold 3."""
    shelve(BOOK, 5)
    set_low_stock_threshold(BOOK, 3)


@pytest.fixture
def split(settings, monkeypatch, shelved):
    """The same, in two sub-shelves; an order locks its own only."""
    settings.SHELF_SHARDS = 2
    monkeypatch.setattr(reserving, "FEW", 0)
    durable(services.split_book)(BOOK, 2)


def test_each_fall_is_announced_once(shelved):
    first, second = order(2), order(1)
    reserve_stock(first)
    assert announced() == [3]
    reserve_stock(second)
    confirm_stock(first)
    assert announced() == [3], "it was low before"
    add_stock(BOOK, 2)
    assert announced() == [3]
    adjust_stock(BOOK, -3, reason="counted", actor="clerk")
    assert announced() == [3, 1]
    add_stock(BOOK, 1)
    release_stock(second, "cancelled")
    assert announced() == [3, 1], "it rises to the threshold"


def test_an_expiry_that_makes_room_is_no_fall(shelved):
    reserve_stock(order(2))
    let_reservations_expire()
    reserve_stock(order(4))
    assert announced() == [3], "the transaction begins and ends with low stock"
    let_reservations_expire()
    assert expire_reservations(10) == 1
    reserve_stock(order(5))
    assert announced() == [3, 0]


def test_a_command_that_fails_announces_nothing(shelved):
    @durable
    def fail():
        services.reserve_stock(order(3))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert announced() == []
    reserve_stock(order(3))
    assert announced() == [2]


def test_a_book_without_a_threshold_costs_no_statement(shelve):
    """Sold out it is not announced either."""
    shelve(BOOK, 5)
    shelve("book-low", 5)
    set_low_stock_threshold("book-low", 1)
    statements = []
    for book in (BOOK, "book-low"):
        with CaptureQueriesContext(connection) as queries:
            reserve_stock(order_snapshot((book, 1)))
        statements.append(len(queries))
    assert statements[0] == statements[1], "while its stock is not low, nor does a book with one"
    with CaptureQueriesContext(connection) as queries:
        reserve_stock(order(4))
    assert len(queries) == statements[0] and not OutboxEvent.objects.exists()


@pytest.mark.parametrize("style", SagaStyle)
def test_of_simultaneous_buyers_one_takes_the_book_to_its_threshold(api, shelve, style):
    shelve(BOOK, 0)
    set_low_stock_threshold(BOOK, 4)
    for round_ in range(ROUNDS):
        add_stock(BOOK, 6)
        sold = all_at_once([buyer(api, style, BOOK) for _ in range(6)])
        assert sold == [(201, None)] * 6
        assert announced() == [0, *[4] * (round_ + 1)]


def test_a_rebuilt_book_keeps_its_threshold_and_announces_nothing(shelved):
    InventoryRecord.objects.update(on_hand=1)
    call_command("rebuild_inventory", BOOK)
    record = InventoryRecord.objects.get()
    assert (record.on_hand, record.low_stock_threshold, announced()) == (5, 3, [])


def test_the_copies_of_sub_shelves_count_in_the_ledger(split):
    reserve_stock(order())
    reserve_stock(order())
    assert announced() == []
    record_events()
    assert announced() == [3]
    reserve_stock(order())
    record_events()
    assert announced() == [3]


@pytest.mark.parametrize("style", SagaStyle)
def test_buyers_of_a_split_book_and_workers_that_record_its_events_announce_one_fall(api, split, style):
    add_stock(BOOK, 5)
    sold = all_at_once([*[buyer(api, style, BOOK) for _ in range(10)], *[record_events] * 2])
    assert sold == [(201, None)] * 10 + [None] * 2
    record_events()
    assert len(announced()) == 1 and InventoryRecord.objects.get().on_hand == 0


def test_a_command_on_all_sub_shelves_announces_what_is_pending_and_its_own_fall(split):
    reserve_stock(order())
    reserve_stock(order())
    adjust_stock(BOOK, 5, reason="counted", actor="clerk")
    assert announced() == [3]
    adjust_stock(BOOK, -5, reason="counted", actor="clerk")
    assert announced() == [3, 3]


def test_pending_events_that_are_moved_in_batches_announce_one_fall(split, monkeypatch):
    monkeypatch.setattr(pending, "BATCH", 1)
    for _ in range(4):
        reserve_stock(order())
    set_low_stock_threshold(BOOK, 3)
    assert announced() == [3]


def test_books_of_one_order_are_announced_together(shelve):
    books = ("book-a", "book-b", "book-c")
    for book in books:
        shelve(book, 2)
    for book in books[:2]:
        set_low_stock_threshold(book, 1)
    reserve_stock(order_snapshot(*((book, 1) for book in books)))
    assert set(OutboxEvent.objects.values_list("subject", flat=True)) == {"book-a", "book-b"}


def test_an_unknown_book_has_no_threshold(db):
    with pytest.raises(UnknownBook):
        set_low_stock_threshold("none", 1)
