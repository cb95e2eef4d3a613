"""Books that are split into sub-shelves: exact under load, while they are split and put together, and in the audit."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from threading import Event
from uuid import UUID

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.exceptions import IrreversibleError
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from cloudmart.database.clock import database_now
from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.metrics import READ_AT_SCRAPE
from cloudmart.kernel.order import StockRequest
from inventory import following, locks, pending, services
from inventory.checks import check_split_books
from inventory.errors import OutOfStock, StockIsReserved
from inventory.models import InventoryRecord, InventoryView, PendingEvent, StockEvent, SubShelf
from inventory.projector import catch_up, record_events
from inventory.services import reserving
from inventory.stock import Stock
from orders.models import Order, SagaStyle
from tests.clock import database_clock
from tests.committed import (
    add_stock,
    adjust_stock,
    confirm_stock,
    expire_reservations,
    let_reservations_expire,
    release_stock,
    reserve_stock,
)
from tests.integration.test_audit import failing
from tests.integration.test_races import ROUNDS, all_at_once, assert_books_balance, buyer
from tests.processes import TIMEOUT

migration = import_module("inventory.migrations.0015_sub_shelves")

BOOK = "book-123"
FEW = reserving.FEW
ON_A_SERVER = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time")

split_book = durable(services.split_book)


@pytest.fixture(autouse=True)
def up_to_four(settings, monkeypatch):
    """Books may be split, and few copies are enough for an order to lock its sub-shelf only."""
    settings.SHELF_SHARDS = 4
    monkeypatch.setattr(reserving, "FEW", 0)


def shares(book_id=BOOK):
    """The copies on hand and reserved of each sub-shelf."""
    return list(SubShelf.objects.filter(shelf=book_id).order_by("number").values_list("on_hand", "reserved"))


def order_of(number, copies=1):
    """An order of the book whose sub-shelf of four has this number."""
    order_id = new_id().int
    return StockRequest(UUID(int=order_id - order_id % 4 + number), {BOOK: copies}, "ann")


def gauge(name):
    (found,) = (metric for metric in READ_AT_SCRAPE.collect() if metric.name == name)
    return found.samples[0].value


def ledger(book_id=BOOK):
    """The types of the book's events in the order of their versions."""
    return list(StockEvent.objects.filter(shelf=book_id).order_by("version").values_list("type", flat=True))


@pytest.mark.parametrize("style", SagaStyle)
def test_buyers_that_wait_for_an_emptied_sub_shelf_get_the_last_copies(api, shelve, style):
    shelve(BOOK, 4)
    split_book(BOOK, 4)
    responses = Counter(all_at_once([buyer(api, style, BOOK) for _ in range(12)]))
    assert responses == {(201, None): 4, (409, "out_of_stock"): 8}
    catch_up()
    assert_books_balance(received=4)


@pytest.mark.parametrize("style", SagaStyle)
def test_ten_of_fifty_buyers_get_the_ten_copies_of_a_split_book(api, shelve, monkeypatch, style):
    monkeypatch.setattr(reserving, "FEW", FEW)
    shelve(BOOK, 0)
    split_book(BOOK, 4)
    for round_ in range(1, ROUNDS + 1):
        add_stock(BOOK, 10)
        responses = Counter(all_at_once([buyer(api, style, BOOK) for _ in range(50)]))
        assert responses == {(201, None): 10, (409, "out_of_stock"): 40}
        assert Order.objects.filter(status="completed").count() == 10 * round_
    assert {reserved for _, reserved in shares()} == {0}
    catch_up()
    assert_books_balance(received=10 * ROUNDS)
    assert failing().keys() <= {"mail_is_tried"}


@ON_A_SERVER
def test_buyers_go_on_while_the_book_is_split_put_together_and_recorded(api, shelve):
    shelve(BOOK, 1000)
    sold, found = Counter(), {}
    buyers_left = list(range(8))

    def buy():
        try:
            for _ in range(10):
                for style in SagaStyle:
                    sold[buyer(api, style, BOOK)()] += 1
        finally:
            buyers_left.pop()

    def resplit():
        while buyers_left:
            for shards in (4, 2, 1, 3):
                split_book(BOOK, shards)

    def project():
        while buyers_left:
            catch_up()

    def audit():
        while buyers_left:
            found.update(failing())

    assert all_at_once([*[buy] * 8, resplit, project, audit]) == [None] * 11
    assert sold == {(201, None): 160}
    catch_up()
    assert InventoryRecord.objects.get().on_hand == 840
    assert_books_balance(received=1000)
    assert (found | failing()).keys() <= {"mail_is_tried"}


def test_an_order_locks_its_sub_shelf_only(shelve):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    order = order_of(1)
    reserve_stock(order)
    assert shares() == [(2, 0), (2, 1), (2, 0), (2, 0)]
    assert ledger() == ["StockAdded"], "its event waits for the ledger"
    confirm_stock(order)
    assert shares() == [(2, 0), (1, 0), (2, 0), (2, 0)]
    release_stock(order, "returned")
    assert shares() == [(2, 0), (2, 0), (2, 0), (2, 0)]
    record_events()
    assert ledger() == ["StockAdded", "StockReserved", "ReservationConfirmed", "StockReturned"]
    assert not PendingEvent.objects.exists() and failing() == {}


@ON_A_SERVER
def test_an_order_of_another_sub_shelf_does_not_wait(shelve):
    shelve(BOOK, 400)
    split_book(BOOK, 4)
    is_held, is_done = Event(), Event()

    @durable
    def hold():
        services.reserve_stock(order_of(0))
        assert PendingEvent.objects.exists(), "its statements are sent"
        is_held.set()
        assert is_done.wait(TIMEOUT)

    def go_on():
        try:
            assert is_held.wait(TIMEOUT)
            connection.cursor().execute("SET SESSION innodb_lock_wait_timeout = 1")
            for _ in range(40):
                reserve_stock(order_of(1))
            catch_up()
            assert not PendingEvent.objects.exists()
        finally:
            is_done.set()

    assert all_at_once([hold, go_on]) == [None, None]
    catch_up()
    assert InventoryView.objects.get().reserved == 41


def test_an_order_that_finds_few_copies_locks_the_whole_book(shelve, monkeypatch):
    monkeypatch.setattr(reserving, "FEW", 2)
    shelve(BOOK, 12)
    split_book(BOOK, 4)
    reserve_stock(order_of(1))
    assert ledger() == ["StockAdded"]
    reserve_stock(order_of(1))
    assert ledger() == ["StockAdded", "StockReserved", "StockReserved"]
    assert shares() == [(3, 0), (5, 2), (2, 0), (2, 0)]


def test_an_order_gets_the_copies_of_all_sub_shelves(shelve):
    shelve(BOOK, 9)
    split_book(BOOK, 4)
    reserve_stock(order_of(2, copies=8))
    assert sum(on_hand for on_hand, _ in shares()) == 9 and shares()[2] == (8, 8)
    with pytest.raises(OutOfStock) as refusal:
        reserve_stock(order_of(3, copies=2))
    assert refusal.value.details["shortages"] == [{"book_id": BOOK, "requested": 2, "available": 1}]
    reserve_stock(order_of(3))
    assert failing() == {}


MEANWHILE = {
    "it is emptied": lambda: services.reserve_stock(order_of(1, copies=2)),
    "the book is put together": lambda: services.split_book(BOOK, 1),
}


@pytest.mark.parametrize("happens", MEANWHILE.values(), ids=MEANWHILE)
def test_an_order_looks_at_its_sub_shelf_again_once_it_has_locked_it(shelve, monkeypatch, happens):
    """Between the two looks it locks its books that are not split."""
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    lock_stock = locks.lock_stock

    def lock_late(book_ids):
        monkeypatch.setattr(locks, "lock_stock", lock_stock)
        happens()
        return lock_stock(book_ids)

    monkeypatch.setattr(locks, "lock_stock", lock_late)
    order = order_of(1)
    reserve_stock(order)
    assert locks.lock_stock is lock_stock and failing() == {}
    confirm_stock(order)
    record_events()
    assert InventoryRecord.objects.get().on_hand == 7


def test_copies_that_the_ledger_does_not_have_yet_can_be_bought(api, shelve):
    shelve(BOOK, 4)
    split_book(BOOK, 4)
    orders = [order_of(number) for number in range(4)]
    for order in orders:
        reserve_stock(order)
    record_events()
    release_stock(orders[3], "cancelled")
    assert InventoryRecord.objects.get().stock.available == 0
    body = {"book_id": BOOK, "quantity": 1, "payment_method": "credit_card"}
    assert api.post("/orders", body).status_code == 201
    assert api.post("/orders", body).json()["code"] == "out_of_stock"


def test_the_stock_of_one_book_is_that_of_now(api, desk, site, shelve):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    for number, look in enumerate(
        [
            lambda: api.get(f"/inventory/{BOOK}").json()["reserved_quantity"],
            lambda: desk.get(f"/inventory/{BOOK}", {"as_of": database_now().isoformat()}).json()["reserved_quantity"],
            lambda: site.get(f"/admin/inventory/book/{BOOK}/change/").context["stock_page"]["record"].reserved,
            lambda: site.get(f"/admin/inventory/book/{BOOK}/add-stock/").context["record"].reserved,
        ]
    ):
        reserve_stock(order_of(number))
        assert look() == number + 1


def test_expired_reservations_of_all_sub_shelves_make_room(shelve):
    shelve(BOOK, 4)
    split_book(BOOK, 4)
    for number in range(4):
        reserve_stock(order_of(number))
    let_reservations_expire()
    reserve_stock(order_of(1, copies=2))
    assert sum(reserved for _, reserved in shares()) == 2
    assert expire_reservations(10) is None
    assert ledger() == ["StockAdded", *["StockReserved"] * 4, *["ReservationExpired"] * 4, "StockReserved"]
    assert failing() == {}


def test_an_order_expires_no_reservations_of_sub_shelves_that_it_has_not_locked(shelve):
    shelve(BOOK, 8)
    shelve("book-b", 1)
    split_book(BOOK, 4)
    for number in range(3):
        reserve_stock(order_of(number))
    reserve_stock(replace(order_of(0), quantities={"book-b": 1}))
    let_reservations_expire()
    reserve_stock(replace(order_of(3), quantities={BOOK: 1, "book-b": 1}))
    assert shares() == [(2, 1), (2, 1), (2, 1), (2, 1)]
    assert ledger("book-b") == ["StockAdded", "StockReserved", "ReservationExpired", "StockReserved"]
    assert expire_reservations(10) == 3
    assert failing() == {}


def test_a_worker_expires_reservations_of_a_split_book(shelve):
    shelve(BOOK, 4)
    split_book(BOOK, 2)
    for number in range(4):
        reserve_stock(order_of(number))
    let_reservations_expire()
    assert expire_reservations(3) == 3
    assert sorted(reserved for _, reserved in shares()) == [0, 1]
    assert failing() == {}


def test_deliveries_and_counts_concern_the_whole_book(shelve):
    shelve(BOOK, 4)
    split_book(BOOK, 4)
    reserve_stock(order_of(2))
    add_stock(BOOK, 6)
    adjust_stock(BOOK, -9, reason="counted", actor="clerk")
    assert shares() == [(0, 0), (0, 0), (1, 1), (0, 0)]
    with pytest.raises(StockIsReserved):
        adjust_stock(BOOK, -1, reason="counted", actor="clerk")
    assert ledger() == ["StockAdded", "StockReserved", "StockAdded", "StockAdjusted"]


def test_reservations_keep_their_copies_when_the_book_is_split_and_put_together(shelve):
    shelve(BOOK, 9)
    early, late = order_of(3, copies=5), order_of(1, copies=2)
    reserve_stock(early)
    split_book(BOOK, 4)
    assert shares() == [(1, 0), (1, 0), (1, 0), (6, 5)]
    reserve_stock(late)
    confirm_stock(early)
    split_book(BOOK, 1)
    assert shares() == [] and not PendingEvent.objects.exists()
    confirm_stock(late)
    assert InventoryRecord.objects.get().stock == Stock(2, 0, 5)
    assert failing() == {}


def test_events_of_all_sub_shelves_follow_each_other_though_the_clock_goes_back(shelve):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    moment = database_now()
    for number, minutes in enumerate([0, 2, 1, -5]):
        with database_clock(lambda minutes=minutes: moment + timedelta(minutes=minutes)):
            reserve_stock(order_of(number))
        if number == 1:
            record_events()
    record_events()
    times = list(StockEvent.objects.order_by("version").values_list("happened_at", flat=True))
    assert times == sorted(set(times)) and len(times) == 5


def test_a_long_row_of_pending_events_is_moved_in_several_transactions(shelve, monkeypatch):
    monkeypatch.setattr(pending, "BATCH", 2)
    shelve(BOOK, 20)
    split_book(BOOK, 4)
    for number in (3, 0, 0, 1, 2):
        reserve_stock(order_of(number))
    with CaptureQueriesContext(connection) as queries:
        record_events()
    assert sum(query["sql"] == "COMMIT" for query in queries) == 3
    assert ledger() == ["StockAdded", *["StockReserved"] * 5] and not PendingEvent.objects.exists()
    for number in (2, 2, 1):
        reserve_stock(order_of(number))
    add_stock(BOOK, 1)
    assert ledger()[6:] == ["StockReserved"] * 3 + ["StockAdded"] and failing() == {}


def test_a_process_that_knows_no_sub_shelves_is_exact_too(shelve, settings):
    shelve(BOOK, 4)
    split_book(BOOK, 4)
    orders = [order_of(0) for _ in range(4)]
    reserve_stock(orders[0])
    settings.SHELF_SHARDS = 1
    for order in orders[1:]:
        reserve_stock(order)
    with pytest.raises(OutOfStock):
        reserve_stock(order_of(0))
    confirm_stock(orders[3])
    settings.SHELF_SHARDS = 4
    confirm_stock(orders[2])
    assert sum(on_hand for on_hand, _ in shares()) == 2
    assert failing() == {}


def test_a_worker_without_the_setting_records_the_events_of_other_processes(shelve, settings):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    reserve_stock(order_of(0))
    settings.SHELF_SHARDS = 1
    _, whole_read_model = following.tasks(0.5)
    assert whole_read_model.run() == 1
    assert InventoryView.objects.get().reserved == 1 and not PendingEvent.objects.exists()


def test_a_deploy_without_the_setting_is_warned_of_split_books(shelve, settings):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    assert list(check_split_books(databases=["default"])) == []
    settings.SHELF_SHARDS = 1
    (warning,) = check_split_books(databases=["default"])
    assert warning.id == "cloudmart.W009" and BOOK in warning.msg
    split_book(BOOK, 1)
    assert list(check_split_books(databases=["default"])) == []


def test_the_lag_of_the_ledger_is_that_of_the_oldest_pending_event(shelve):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    for number in range(3):
        reserve_stock(order_of(number))
    PendingEvent.objects.filter(shelf=BOOK).update(happened_at=F("happened_at") - timedelta(minutes=2))
    reserve_stock(order_of(3))
    assert gauge("cloudmart_pending_events_lag_seconds") >= 120
    record_events()
    assert gauge("cloudmart_pending_events_lag_seconds") == 0


def test_without_the_setting_no_statement_asks_for_sub_shelves(api, shelve, settings):
    settings.SHELF_SHARDS = 1
    shelve(BOOK, 4)
    with CaptureQueriesContext(connection) as queries:
        api.post("/orders", {"book_id": BOOK, "quantity": 1, "payment_method": "credit_card"})
        catch_up()
    statements = [query["sql"] for query in queries]
    assert any("stock_events" in sql for sql in statements)
    assert not any("sub_shelves" in sql or "pending_stock_events" in sql for sql in statements)


@pytest.mark.parametrize("style", SagaStyle)
def test_crossed_orders_of_split_and_whole_books_agree(api, shelve, style):
    copies = 12
    for book_id in ("book-a", "book-b", "book-c"):
        shelve(book_id, copies)
    split_book("book-a", 4)
    split_book("book-c", 2)
    baskets = [("book-a", "book-b", "book-c"), ("book-c", "book-b", "book-a")] * 8
    responses = Counter(all_at_once([buyer(api, style, *basket) for basket in baskets]))
    assert responses == {(201, None): copies, (409, "out_of_stock"): 16 - copies}
    catch_up()
    assert_books_balance(received=copies)


TAMPERED = {
    "a copy too many": lambda: SubShelf.objects.filter(number=1).update(on_hand=F("on_hand") + 1),
    "a reserved copy too many": lambda: SubShelf.objects.filter(number=1).update(reserved=F("reserved") + 1),
    "a missing sub-shelf": lambda: SubShelf.objects.filter(number=3).delete(),
    "a wrong number of sub-shelves": lambda: InventoryRecord.objects.update(shards=3),
    "sub-shelves of a book that is not split": lambda: InventoryRecord.objects.update(shards=1),
    "an event that is lost": lambda: PendingEvent.objects.all()[:1].get().delete(),
}


def test_the_audit_finds_the_only_sub_shelf_of_a_book_that_is_not_split(shelve):
    """An order would sell its copies too."""
    shelve(BOOK, 8)
    SubShelf.objects.create(shelf_id=BOOK, number=0, on_hand=8)
    assert failing()["sub_shelves_add_up"] == (BOOK,)


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_the_audit_finds_a_sub_shelf_that_is_wrong(shelve, tamper):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    reserve_stock(order_of(0))
    assert failing() == {}
    tamper()
    assert failing()["sub_shelves_add_up"] == (BOOK,)


def test_events_that_contradict_the_stock_of_their_book_keep_no_other_book_back(shelve):
    for book_id in (BOOK, "book-b"):
        shelve(book_id, 8)
        split_book(book_id, 4)
        reserve_stock(replace(order_of(0), quantities={book_id: 1}))
    PendingEvent.objects.filter(shelf=BOOK).update(reserved_delta=-1)
    catch_up()
    assert PendingEvent.objects.get().shelf_id == BOOK
    assert dict(InventoryView.objects.values_list("pk", "reserved")) == {BOOK: 0, "book-b": 1}
    assert failing()["sub_shelves_add_up"] == (BOOK,)


def test_splitting_again_restores_sub_shelves_from_the_ledger(shelve):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    reserve_stock(order_of(0))
    SubShelf.objects.update(on_hand=F("on_hand") + 1)
    split_book(BOOK, 4)
    assert shares() == [(3, 1), (2, 0), (2, 0), (1, 0)] and failing() == {}


def test_rebuilding_restores_the_row_of_a_split_book(shelve, capsys):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    reserve_stock(order_of(0))
    InventoryRecord.objects.update(on_hand=0)
    call_command("rebuild_inventory")
    assert "1 with differences" in capsys.readouterr().out
    assert InventoryRecord.objects.get().stock == Stock(8, 1, 2)
    assert failing() == {}


def test_the_command_splits_a_book_and_puts_it_together(shelve, capsys, settings):
    shelve(BOOK, 8)
    call_command("split_book", BOOK)
    assert shares() == [(2, 0)] * 4
    call_command("split_book", BOOK, shards=1)
    assert shares() == []
    assert capsys.readouterr().out.splitlines() == ["book-123: 4 sub-shelves", "book-123: not split"]
    with pytest.raises(CommandError, match="book-x"):
        call_command("split_book", "book-x")
    for shards in (0, 65):
        with pytest.raises(CommandError, match="1 to 64"):
            call_command("split_book", BOOK, shards=shards)
    settings.SHELF_SHARDS = 1
    with pytest.raises(CommandError, match="SHELF_SHARDS is 1"):
        call_command("split_book", BOOK, shards=2)


def test_pending_events_keep_an_earlier_version_from_being_installed(shelve):
    shelve(BOOK, 8)
    split_book(BOOK, 4)
    migration.refuse_pending_events(apps, None)
    reserve_stock(order_of(0))
    with pytest.raises(IrreversibleError):
        migration.refuse_pending_events(apps, None)
