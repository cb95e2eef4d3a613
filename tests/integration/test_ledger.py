"""The stock ledger: whatever services do, the row is the replay, and nobody can change what happened."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmart.database.clock import database_now
from cloudmart.kernel.order import StockRequest
from inventory import services
from inventory.errors import OutOfStock, ReservationExpired, StockIsReserved, UnknownBook
from inventory.models import InventoryRecord, LedgerIsAppendOnly, Reservation, StockEvent
from inventory.stock import replay
from tests import committed
from tests.clock import database_clock
from tests.conftest import available, order_snapshot
from tests.factories import BookFactory
from tests.known_bugs import known_bug

actions = st.lists(
    st.tuples(st.sampled_from(["add", "adjust", "reserve", "confirm", "release", "expire"]), st.integers(0, 9)),
    min_size=5,
    max_size=30,
)


def act(action, number, orders):
    """One action of the stock room; a refusal is an answer too."""
    order = orders[number % len(orders)] if orders else None
    try:
        with transaction.atomic():
            if action == "add":
                services.add_stock("book-123", number + 1)
            elif action == "adjust":
                services.adjust_stock("book-123", number - 5, reason="counted", actor="operator")
            elif action == "reserve":
                orders.append(order_snapshot(("book-123", number + 1)))
                services.reserve_stock(orders[-1])
            elif action == "expire":
                Reservation.objects.filter(quantity__lte=number).update(expires_at="2020-01-01T00:00Z")
                services.expire_reservations(100)
            elif order and Reservation.objects.filter(order_id=order.order_id).exists():
                services.confirm_stock(order) if action == "confirm" else services.release_stock(order, "given up")
    except (OutOfStock, StockIsReserved, ReservationExpired):
        pass


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_the_row_is_the_replay_of_its_events(db, actions):
    with transaction.atomic():
        InventoryRecord.objects.create(book=BookFactory(id="book-123"))
        orders = []
        for action, number in actions:
            act(action, number, orders)
            record = InventoryRecord.objects.get()
            events = list(StockEvent.objects.order_by("version"))
            assert replay(event.happened for event in events) == record.stock
            assert [event.version for event in events] == list(range(1, len(events) + 1))
            if events:
                last = events[-1]
                assert (last.on_hand_after, last.reserved_after) == (record.on_hand, record.reserved)
            held = sum(hold.quantity for hold in Reservation.objects.filter(status="active"))
            assert record.reserved == held
        transaction.set_rollback(True)


@pytest.fixture
def event(shelve):
    shelve("book-123", 5)
    return StockEvent.objects.get()


def test_the_model_refuses_to_change_history(event):
    for attempt in (
        event.save,
        event.delete,
        StockEvent.objects.all().delete,
        lambda: StockEvent.objects.update(reason="x"),
    ):
        with pytest.raises(LedgerIsAppendOnly):
            attempt()


@pytest.mark.parametrize("sql", ["UPDATE stock_events SET reason = 'x'", "DELETE FROM stock_events"])
def test_the_database_refuses_to_change_history(event, sql):
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(sql)


@known_bug("medusa#12401", "MySQL: less than nothing")
@pytest.mark.parametrize("change", [{"reserved": 6}, {"on_hand": -1}, {"reserved": -1}])
def test_the_database_refuses_an_impossible_shelf(event, change):
    with pytest.raises(DatabaseError):
        InventoryRecord.objects.update(**change)


def test_a_shortage_sweeps_expired_holds_first(shelve):
    shelve("book-123", 5)
    committed.reserve_stock(order_snapshot(("book-123", 5)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    assert available("book-123") == 5
    committed.reserve_stock(order_snapshot(("book-123", 3)))
    assert available("book-123") == 2
    assert [hold.status for hold in Reservation.objects.order_by("pk")] == ["expired", "active"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda order: services.reserve_stock(order),
        lambda order: services.hold_stock(order),
        lambda order: services.hold_stock(StockRequest(Reservation.objects.first().order_id, order.quantities, "ann")),
        lambda order: services.adjust_stock("book-b", -6, reason="counted", actor="operator"),
    ],
    ids=["reserve", "hold", "hold again", "adjust"],
)
def test_who_is_refused_has_written_nothing(shelve, ask):
    """Who hears of the refusal may commit."""
    shelve("book-a", 5)
    shelve("book-b", 5)
    committed.reserve_stock(order_snapshot(("book-a", 2), ("book-b", 2)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    before = written()
    with transaction.atomic(), pytest.raises((OutOfStock, StockIsReserved)):
        ask(order_snapshot(("book-a", 5), ("book-b", 6)))
    assert written() == before


def written():
    return [list(model.objects.order_by("pk").values()) for model in (InventoryRecord, StockEvent, Reservation)]


def test_what_has_lapsed_is_room_for_who_holds_again(shelve):
    shelve("book-123", 5)
    order = order_snapshot(("book-123", 2))
    committed.reserve_stock(order)
    committed.reserve_stock(order_snapshot(("book-123", 2)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    committed.hold_stock(StockRequest(order.order_id, {"book-123": 5}, "ann"))
    assert available("book-123") == 0
    assert [hold.status for hold in Reservation.objects.order_by("pk")] == ["active", "expired"]
    assert InventoryRecord.objects.get().reserved == 5


def test_an_expired_hold_is_never_confirmed(shelve):
    shelve("book-123", 5)
    order = order_snapshot(("book-123", 5))
    committed.reserve_stock(order)
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    with pytest.raises(ReservationExpired):
        committed.confirm_stock(order)


@known_bug("medusa#16502")
def test_every_shortage_is_reported_and_lines_of_one_book_are_summed(shelve):
    shelve("book-a", 1)
    shelve("book-b", 1)
    with pytest.raises(OutOfStock) as refusal:
        committed.reserve_stock(order_snapshot(("book-a", 1), ("book-b", 2), ("book-a", 1)))
    assert refusal.value.details["shortages"] == [
        {"book_id": "book-a", "requested": 2, "available": 1},
        {"book_id": "book-b", "requested": 2, "available": 1},
    ]
    with pytest.raises(UnknownBook):
        committed.add_stock("book-c", 1)


def test_the_ledger_keeps_its_triggers_through_every_migration(transactional_db):
    """Changing a table makes SQLite write it anew, without its triggers."""
    for name in ("0002_ledger_triggers", "0003_codes", "0004_references", "0005_read_model"):
        executor = MigrationExecutor(connection)
        executor.migrate([("inventory", name)])
        assert triggers() == {"stock_events_no_update", "stock_events_no_delete"}, name
        MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())
        assert triggers() == {"stock_events_no_update", "stock_events_no_delete"}, f"forward from {name}"


def triggers():
    sql = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'stock_events'",
        "mysql": "SELECT trigger_name FROM information_schema.triggers "
        "WHERE trigger_schema = DATABASE() AND event_object_table = 'stock_events'",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {name for (name,) in cursor.fetchall()}


def test_the_model_refuses_to_change_history_in_bulk(event):
    event.reason = "x"
    for attempt in (
        lambda: StockEvent.objects.bulk_update([event], ["reason"]),
        lambda: StockEvent.objects.bulk_create(
            [event], update_conflicts=True, update_fields=["reason"], unique_fields=["id"]
        ),
        lambda: StockEvent.objects.update_or_create(defaults={"reason": "x"}, pk=event.pk),
        lambda: event.shelf.events.update(reason="x"),
        lambda: event.shelf.events.all().delete(),
    ):
        with pytest.raises(LedgerIsAppendOnly):
            attempt()


def test_a_books_events_follow_each_other_though_the_clock_goes_back(shelve):
    shelve("book-123", 5)
    yesterday = database_now() - timedelta(days=1)
    with database_clock(lambda: yesterday):
        for _ in range(3):
            committed.add_stock("book-123", 1)
    times = list(StockEvent.objects.order_by("version").values_list("happened_at", flat=True))
    assert times == sorted(set(times)) and times[0] > yesterday
    assert InventoryRecord.objects.get().changed_at == times[-1]


def test_every_event_says_who_and_why(shelve):
    shelve("book-123", 5)
    sold, given_up, lapsed = (order_snapshot(("book-123", 1), customer_id=name) for name in ("ann", "bob", "cec"))
    for order in (sold, given_up, lapsed):
        committed.reserve_stock(order)
    committed.confirm_stock(sold)
    committed.release_stock(given_up, "The card has expired.")
    Reservation.objects.filter(order_id=lapsed.order_id).update(expires_at="2020-01-01T00:00Z")
    committed.expire_reservations(10)
    told = StockEvent.objects.filter(order_id__isnull=False).order_by("version")
    assert list(told.values_list("type", "actor", "reason")) == [
        ("StockReserved", "ann", ""),
        ("StockReserved", "bob", ""),
        ("StockReserved", "cec", ""),
        ("ReservationConfirmed", "ann", ""),
        ("ReservationCancelled", "bob", "The card has expired."),
        ("ReservationExpired", "clock", ""),
    ]


def test_a_hold_that_the_clock_has_passed_keeps_no_copies_on_the_shelf(shelve):
    shelve("book-123", 5)
    committed.reserve_stock(order_snapshot(("book-123", 5)))
    with pytest.raises(StockIsReserved):
        committed.adjust_stock("book-123", -1, reason="counted", actor="operator")
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    committed.adjust_stock("book-123", -1, reason="counted", actor="operator")
    assert available("book-123") == 4
