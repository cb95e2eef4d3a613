"""The read model: lists may lag, single books do not, no event is lost, and rebuilding finds differences."""

import signal
from datetime import date, datetime, timedelta, timezone
from threading import Event, Thread
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from cloudmart.database.transactions import durable
from inventory import following, projector, rebuild, services
from inventory.following import NEWEST, OVERLAP, Follower
from inventory.locks import lock_views
from inventory.models import InventoryRecord, InventoryView, StockEvent, StockMovement
from inventory.movements import COLUMNS
from inventory.projector import catch_up, lag
from inventory.stock import EventType
from inventory.triggers import create_triggers, drop_triggers
from orders.models import SagaStyle
from tests.committed import add_stock, confirm_stock, reserve_stock
from tests.conftest import order_snapshot
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug
from tests.processes import running_command, wait_until

ON_A_SERVER = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time")
NOTHING_BEHIND = {"books": 0, "events": 0, "seconds": 0}


def rows():
    return list(InventoryView.objects.order_by("pk").values_list("pk", "on_hand", "reserved", "available", "version"))


def test_the_list_reports_its_lag(api, shelve):
    shelve("book-a", 5)
    shelve("book-b", 0)
    assert lag()["books"] == 2, "books without a row in the list"
    catch_up()
    add_stock("book-a", 1)
    reserve_stock(order_snapshot(("book-a", 2)))
    listed = api.get("/inventory").json()
    assert [line["available_quantity"] for line in listed["results"]] == [5, 0]
    assert (listed["lag"]["books"], listed["lag"]["events"]) == (1, 2) and listed["lag"]["seconds"] > 0
    assert catch_up() == 1
    listed = api.get("/inventory").json()
    assert [line["available_quantity"] for line in listed["results"]] == [4, 0]
    assert listed["lag"] == NOTHING_BEHIND


def test_reading_a_single_book_updates_it_first(api, shelve):
    shelve("book-a", 5)
    shelve("book-b", 5)
    assert api.get("/inventory/book-a").json()["available_quantity"] == 5
    reserve_stock(order_snapshot(("book-a", 2)))
    assert api.get("/inventory/book-a").json()["available_quantity"] == 3
    assert rows() == [("book-a", 5, 2, 3, 2)]


def test_projecting_everything_again_gives_the_same_rows(shelve):
    for number in range(7):
        shelve(f"book-{number}", number)
        if number:
            order = order_snapshot((f"book-{number}", 1))
            reserve_stock(order)
            confirm_stock(order)
    catch_up()
    before = rows()
    assert len(before) == 7
    InventoryView.objects.all().delete()
    catch_up()
    assert rows() == before


def moved():
    """Returns the movements of each book over all days."""
    return list(StockMovement.objects.order_by("book", "day").values_list("book", *COLUMNS))


def test_every_event_counts_once_in_the_movements(shelve):
    shelve("book-a", 5)
    shelve("book-b", 0)
    catch_up()
    order = order_snapshot(("book-a", 2))
    reserve_stock(order)
    catch_up()
    catch_up(["book-b"])
    confirm_stock(order)
    reserve_stock(order_snapshot(("book-a", 1)))
    catch_up()
    before = moved()
    assert before == [("book-a", 5, 2, 0, 0, 3, 0, 0)]
    InventoryView.objects.all().delete()
    catch_up()
    assert moved() == before


def test_a_long_history_is_counted_in_pages(shelve, monkeypatch):
    for book_id in ("book-a", "book-b"):
        shelve(book_id, 0)
        for _ in range(7):
            add_stock(book_id, 1)
    for page in (1, 3, 7, 100):
        monkeypatch.setattr(projector, "PAGE", page)
        InventoryView.objects.all().delete()
        catch_up()
        assert [line[:2] for line in moved()] == [("book-a", 7), ("book-b", 7)], page


def test_movements_of_several_days_are_updated_together(shelve):
    """A migration sets the versions of the read model back; everything is counted again then."""
    for book_id in ("book-a", "book-b", "book-c"):
        shelve(book_id, 3)
    catch_up()
    StockMovement.objects.filter(book="book-a").update(day="2020-01-01")
    for book_id in ("book-a", "book-b", "book-c"):
        add_stock(book_id, 4)
    catch_up()
    assert [line[:2] for line in moved()] == [("book-a", 3), ("book-a", 4), ("book-b", 7), ("book-c", 7)]
    InventoryView.objects.update(version=0)
    catch_up()
    assert [line[:2] for line in moved()] == [("book-a", 7), ("book-b", 7), ("book-c", 7)]


def test_a_day_begins_at_midnight_in_the_shop(shelve):
    """The database computes no day: its time zone does not matter, nor whether it knows any."""
    shelve("book-a", 0)
    midnight = datetime(2026, 11, 22, tzinfo=settings.SHOP_TIME_ZONE)
    for version, moment in [(1, midnight - timedelta(microseconds=1)), (2, midnight)]:
        StockEvent.objects.create(
            shelf_id="book-a",
            version=version,
            type=EventType.STOCK_ADDED,
            on_hand_delta=version,
            reserved_delta=0,
            on_hand_after=2 * version - 1,
            reserved_after=0,
            happened_at=moment,
        )
    InventoryRecord.objects.update(on_hand=3, version=2)
    catch_up()
    days = StockMovement.objects.order_by("day").values_list("day", "added")
    assert list(days) == [(date(2026, 11, 21), 1), (date(2026, 11, 22), 2)]


def test_a_version_without_an_event_is_skipped(shelve):
    """`project_inventory --follow` runs again at once while rows have changed."""
    shelve("book-a", 5)
    shelve("book-b", 5)
    shelve("book-c", 0)
    InventoryRecord.objects.filter(pk="book-a").update(version=9)
    assert catch_up() == 3, "each has its first row"
    add_stock("book-b", 1)
    assert catch_up() == 1
    assert catch_up() == 0
    assert [version for *_, version in rows()] == [0, 2, 0]


@known_bug("MySQL: ids out of order")
@ON_A_SERVER
def test_an_event_that_commits_late_is_projected(shelve):
    """The first event has the lower id, and becomes visible after the second was projected."""
    shelve("book-a", 1)
    shelve("book-b", 1)
    catch_up()
    written, go_on = Event(), Event()

    def write_slowly():
        try:
            with transaction.atomic():
                services.add_stock("book-a", 1)
                assert StockEvent.objects.filter(shelf="book-a", version=2).exists()  # sends what waits to be sent
                written.set()
                go_on.wait()
        finally:
            connections.close_all()

    slow = Thread(target=write_slowly)
    slow.start()
    try:
        assert written.wait(60)
        add_stock("book-b", 1)
        assert catch_up() == 1
        assert rows() == [("book-a", 1, 0, 1, 1), ("book-b", 2, 0, 2, 2)]
    finally:
        go_on.set()
        slow.join()
    late, early = (StockEvent.objects.get(shelf=book_id, version=2) for book_id in ("book-a", "book-b"))
    assert late.pk < early.pk
    assert catch_up() == 1
    assert rows() == [("book-a", 2, 0, 2, 2), ("book-b", 2, 0, 2, 2)]


def test_simultaneous_projectors_and_writers_agree(shelve):
    books = [f"book-{number}" for number in range(4)]
    for book_id in books:
        shelve(book_id, 0)

    def write(book_id):
        for _ in range(20):
            add_stock(book_id, 1)

    def project(look):
        seen = dict.fromkeys(books, 0)
        for _ in range(20):
            look()
            for book_id, version in InventoryView.objects.values_list("pk", "version"):
                assert version >= seen[book_id], "a row went back"
                seen[book_id] = version

    looks = (catch_up, Follower().catch_up) * 2
    writers = [lambda book_id=book_id: write(book_id) for book_id in books]
    results = all_at_once([*writers, *[lambda look=look: project(look) for look in looks]])
    assert results == [None] * 8
    catch_up()
    assert rows() == [(book_id, 20, 0, 20, 20) for book_id in books]
    assert moved() == [(book_id, 20, 0, 0, 0, 0, 0, 0) for book_id in books]


def test_the_projector_follows_until_it_is_stopped(shelve):
    shelve("book-a", 5)
    with running_command("project_inventory", "--follow", "--interval", "0.01") as projector:
        wait_until(lambda: rows() == [("book-a", 5, 0, 5, 1)])
        add_stock("book-a", 1)
        wait_until(lambda: rows() == [("book-a", 6, 0, 6, 2)])
        projector.send_signal(signal.SIGTERM)
        assert projector.wait(timeout=60) == 0


# --- Following the ledger -------------------------------------------------------------------------


class Clock:
    """A clock that the test sets."""

    seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def follower(shelve, clock):
    """Follows a ledger of two books, each with one event that the read model shows."""
    for book_id in ("book-a", "book-b"):
        shelve(book_id, 1)
    catch_up()
    return Follower(clock)


def show_event(book_id, ids_later):
    """Has the next event of the book become visible, with an id so much higher than that of the ledger's first one."""
    stock = InventoryRecord.objects.get(pk=book_id)
    number = stock.version + 1
    StockEvent.objects.create(
        pk=StockEvent.objects.earliest("pk").pk + ids_later,
        shelf_id=book_id,
        version=number,
        type=EventType.STOCK_ADDED,
        on_hand_delta=1,
        reserved_delta=0,
        on_hand_after=number,
        reserved_after=0,
    )
    InventoryRecord.objects.filter(pk=book_id).update(on_hand=number, version=number)


def behind():
    return set(projector.records_behind().values_list("pk", flat=True))


def test_a_follower_finds_new_events_and_books_that_lack_their_first_row(follower, shelve):
    assert follower.catch_up() == 0
    add_stock("book-a", 1)
    assert follower.catch_up() == 1 and follower.catch_up() == 0
    shelve("book-c", 1)
    assert follower.catch_up() == 1 and behind() == set()
    assert rows() == [("book-a", 2, 0, 2, 2), ("book-b", 1, 0, 1, 1), ("book-c", 1, 0, 1, 1)]


def test_a_follower_reads_only_the_end_of_the_ledger(follower, clock):
    """What lies before it is left to the comparison of the whole tables."""
    show_event("book-a", 10)
    show_event("book-b", 20 + NEWEST)
    assert follower.catch_up() == 1 and behind() == {"book-a"}
    assert catch_up() == 1 and behind() == set()
    clock.seconds += OVERLAP
    assert follower.catch_up() == 0
    InventoryView.objects.update(version=0)
    assert follower.catch_up() == 0 and behind() == {"book-a", "book-b"}
    assert catch_up() == 2 and behind() == set()


def test_a_worker_compares_the_whole_tables_once_a_minute(follower):
    often, seldom = following.tasks(0.5)
    show_event("book-a", 10)
    show_event("book-b", 20 + NEWEST)
    assert often.run() == 1 and behind() == {"book-a"}
    assert seldom.run() == 1 and behind() == set()
    assert (often.interval, seldom.interval) == (0.5, 60)


@known_bug("MySQL: ids out of order")
def test_a_follower_finds_an_event_that_becomes_visible_after_a_later_one(follower, clock):
    show_event("book-b", 2 * NEWEST)
    assert follower.catch_up() == 1
    for _ in range(3):
        clock.seconds += OVERLAP / 4
        assert follower.catch_up() == 0
    show_event("book-a", 2 * NEWEST - 1)
    clock.seconds += OVERLAP / 4
    assert follower.catch_up() == 1 and behind() == set()
    show_event("book-a", 2 * NEWEST - 2)
    clock.seconds += OVERLAP / 4
    assert follower.catch_up() == 0 and catch_up() == 1, "its transaction was open for longer than OVERLAP"


def test_a_follower_that_was_stopped_misses_nothing_of_that_time(follower, clock):
    show_event("book-b", 2 * NEWEST)
    assert follower.catch_up() == 1
    show_event("book-a", 2 * NEWEST - 1)
    clock.seconds += 10 * OVERLAP
    assert follower.catch_up() == 1 and behind() == set()


def test_a_look_that_fails_is_repeated_however_long_that_takes(follower, clock, monkeypatch):
    def fail(book_ids):
        raise RuntimeError

    follower.catch_up()
    show_event("book-a", 2 * NEWEST)
    with monkeypatch.context() as broken:
        broken.setattr(following, "catch_up", fail)
        for _ in range(3):
            clock.seconds += OVERLAP
            with pytest.raises(RuntimeError):
                follower.catch_up()
    assert follower.catch_up() == 1 and behind() == set()


def test_the_lag_of_the_newest_events_is_read_without_comparing_tables(follower):
    assert following.newest_lag() == timedelta()
    add_stock("book-a", 1)
    assert timedelta() < following.newest_lag() < timedelta(minutes=1)
    with CaptureQueriesContext(connection) as queries:
        catch_up()
        assert following.newest_lag() == timedelta()
    assert "inventory`" not in queries[-1]["sql"].replace('"', "`"), "it reads the ledger and the read model"


# --- Rebuilding -----------------------------------------------------------------------------------


@pytest.fixture
def shop(shelve):
    """Three books with some events each, projected."""
    for book_id in ("book-a", "book-b", "book-c"):
        shelve(book_id, 5)
        order = order_snapshot((book_id, 2), style=SagaStyle.ORCHESTRATION)
        reserve_stock(order)
        confirm_stock(order)
        reserve_stock(order_snapshot((book_id, 1)))
    catch_up()
    return state()


def state():
    records = InventoryRecord.objects.order_by("pk").values_list("on_hand", "reserved", "version")
    return list(records), rows(), moved()


def rebuilt(capsys, *books, **options):
    """Returns the output and the exit code of rebuild_inventory."""
    try:
        call_command("rebuild_inventory", *books, **options)
        code = 0
    except SystemExit as leaving:
        code = leaving.code
    return capsys.readouterr().out.splitlines(), code


def test_a_consistent_ledger_has_no_differences(shop, capsys):
    assert rebuilt(capsys, check=True) == (["3 books replayed, 0 with differences"], 0)
    assert rebuilt(capsys) == (["3 books replayed, 0 with differences"], 0)
    assert state() == shop


@known_bug("medusa#12401")
@pytest.mark.parametrize("page", [1, 2, 3, 7, 20_000])
@pytest.mark.parametrize(
    ("model", "changes", "problem"),
    [
        (
            InventoryRecord,
            {"on_hand": 4},
            "the snapshot says 4 on hand and 1 reserved after 4 events, "
            "the ledger 3 on hand and 1 reserved after 4 events",
        ),
        (
            InventoryRecord,
            {"version": 3},
            "the snapshot says 3 on hand and 1 reserved after 3 events, "
            "the ledger 3 on hand and 1 reserved after 4 events",
        ),
        (
            InventoryView,
            {"reserved": 0},
            "the read model says 3 on hand and 0 reserved after 4 events, "
            "the ledger 3 on hand and 1 reserved after 4 events",
        ),
        (
            InventoryView,
            {"version": 2},
            "the read model says 3 on hand and 1 reserved after 2 events, "
            "the ledger 5 on hand and 2 reserved after 2 events",
        ),
        (
            InventoryView,
            {"version": 9},
            "the read model says 3 on hand and 1 reserved after 9 events, "
            "the ledger 3 on hand and 1 reserved after 4 events",
        ),
    ],
)
def test_a_difference_is_reported_and_restored(shop, capsys, monkeypatch, model, changes, problem, page):
    monkeypatch.setattr(rebuild, "PAGE", page)
    model.objects.filter(pk="book-b").update(**changes)
    said = [f"book-b: {problem}", "3 books replayed, 1 with differences"]
    assert rebuilt(capsys, check=True) == (said, 1)
    assert rebuilt(capsys, "book-b", check=True) == ([said[0], "1 books replayed, 1 with differences"], 1)
    assert rebuilt(capsys, "book-a", check=True)[1] == 0
    assert state() != shop, "checking restores nothing"
    assert rebuilt(capsys) == ([said[0], "book-b: restored", said[1]], 0)
    assert state() == shop


def test_wrong_movements_are_reported_and_counted_again(shop, capsys):
    StockMovement.objects.filter(book="book-b").update(sold=F("sold") + 1)
    said = ["book-b: the movements add up to 2 on hand and 0 reserved", "3 books replayed, 1 with differences"]
    assert rebuilt(capsys, check=True) == (said, 1)
    assert rebuilt(capsys) == ([said[0], "book-b: restored", said[1]], 0)
    assert state() == shop


def test_movements_are_recounted_in_another_time_zone(shop, capsys, settings):
    settings.SHOP_TIME_ZONE = timezone(timedelta(hours=23, minutes=59))
    assert rebuilt(capsys, check=True)[1] == 0
    before = set(StockMovement.objects.values_list("day", flat=True))
    settings.SHOP_TIME_ZONE = timezone(-timedelta(hours=23, minutes=59))
    assert rebuilt(capsys, recount=True)[1] == 0
    assert moved() == shop[2] and max(StockMovement.objects.values_list("day", flat=True)) < max(before)


def test_checking_counts_nothing_again(shop):
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("rebuild_inventory", "--check", "--recount")


@ON_A_SERVER
def test_an_event_that_is_projected_during_a_recount_counts_once(shelve, monkeypatch):
    shelve("book-a", 5)
    catch_up()
    StockMovement.objects.update(day="2020-01-01")
    add_stock("book-a", 1)

    def lock_late(book_ids):
        monkeypatch.setattr(projector, "lock_views", lock_views)
        assert all_at_once([catch_up]) == [1]
        return lock_views(book_ids)

    monkeypatch.setattr(projector, "lock_views", lock_late)
    durable(projector.recount)("book-a")
    assert [line[:2] for line in moved()] == [("book-a", 6)]


def test_a_lagging_or_missing_read_model_is_no_difference(shop, capsys):
    add_stock("book-a", 1)
    InventoryView.objects.filter(pk="book-b").delete()
    assert rebuilt(capsys, check=True)[1] == 0
    assert len(rows()) == 2
    assert rebuilt(capsys)[1] == 0
    assert [row[-1] for row in rows()] == [5, 4, 4]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE stock_events SET on_hand_after = 6 WHERE version = 1", "event 1 says 6 on hand"),
        ("UPDATE stock_events SET on_hand_delta = -9 WHERE version = 3", "event 3: "),
        ("DELETE FROM stock_events WHERE version = 2", "event 3"),
    ],
)
def test_nothing_is_restored_from_a_contradictory_ledger(shop, capsys, sql, problem):
    with connection.schema_editor(atomic=False) as editor:
        drop_triggers(None, editor)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} AND book_id = 'book-b'")
        said, code = rebuilt(capsys)
    finally:
        with connection.schema_editor(atomic=False) as editor:
            create_triggers(None, editor)
    assert code == 1 and said[0].startswith(f"book-b: {problem}") and "book-b: restored" not in said
    assert state() == shop


def test_rebuilding_an_unknown_book_is_refused(shop):
    with pytest.raises(CommandError, match="book-x"):
        call_command("rebuild_inventory", "book-x")


def sell_a_copy():
    """Adds a copy of book-a and of book-b, and sells them: three events of each."""
    order = order_snapshot(("book-a", 1), ("book-b", 1))
    add_stock("book-a", 1)
    add_stock("book-b", 1)
    reserve_stock(order)
    confirm_stock(order)


@pytest.mark.parametrize("page", [5, 20_000])
@pytest.mark.parametrize("check", [True, False])
def test_a_sale_before_each_query_of_a_rebuild_makes_no_difference(shop, monkeypatch, capsys, page, check):
    monkeypatch.setattr(rebuild, "PAGE", page)
    sales = []

    def sell_first(execute, sql, *args):
        if sql.startswith("SELECT") and not connection.in_atomic_block:
            with patch.object(connection, "execute_wrappers", []):
                sell_a_copy()
            sales.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(sell_first):
        assert rebuilt(capsys, check=check) == (["3 books replayed, 0 with differences"], 0)
    assert sum("stock_events" in sql for sql in sales) > 1


def test_sales_during_a_rebuild_make_no_differences(shop, monkeypatch, capsys):
    monkeypatch.setattr(rebuild, "PAGE", 5)
    sellers = ["one", "two"]

    def sell():
        try:
            for _ in range(10):
                sell_a_copy()
        finally:
            sellers.pop()

    def check():
        codes = []
        while sellers:
            codes += [rebuilt(capsys, check=check)[1] for check in (True, False)]
        return codes

    *others, codes = all_at_once([sell, sell, catch_up, check])
    assert others[:2] == [None, None] and set(codes) == {0}
