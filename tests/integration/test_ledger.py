"""The stock ledger: the `inventory` row is the replay of its events, and events are never changed."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmart.database.clock import database_now
from cloudmart.kernel.errors import IllegalMove
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import StockRequest
from inventory import services
from inventory.errors import (
    HeldTooLong,
    OutOfStock,
    ReferenceReused,
    ReservationDiffers,
    ReservationEnded,
    ReservationExpired,
    StockIsReserved,
    TooMuchStock,
    UnknownBook,
)
from inventory.models import InventoryRecord, LedgerIsAppendOnly, Reservation, StockEvent
from inventory.stock import MOST_COPIES
from tests import committed
from tests.clock import database_clock
from tests.committed import let_reservations_expire
from tests.conftest import available, order_snapshot
from tests.factories import BookFactory
from tests.known_bugs import known_bug
from tests.ledger import stock_after

actions = st.lists(
    st.tuples(st.sampled_from(["add", "adjust", "reserve", "confirm", "release", "expire"]), st.integers(0, 9)),
    min_size=5,
    max_size=30,
)


def act(action, number, orders):
    """Runs one command, which may be refused."""
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
                services.confirm_stock(order) if action == "confirm" else services.release_stock(order, "cancelled")
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
            assert stock_after(event.change for event in events) == record.stock
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
def test_the_database_refuses_impossible_stock(event, change):
    with pytest.raises(DatabaseError):
        InventoryRecord.objects.update(**change)


def test_a_shortage_expires_reservations_first(shelve):
    shelve("book-123", 5)
    committed.reserve_stock(order_snapshot(("book-123", 5)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    assert available("book-123") == 5
    committed.reserve_stock(order_snapshot(("book-123", 3)))
    assert available("book-123") == 2
    assert [hold.status for hold in Reservation.objects.order_by("pk")] == ["expired", "active"]


@pytest.fixture
def order(shelve):
    """An order that has reserved 2 of 5 copies of each of two books."""
    shelve("book-a", 5)
    shelve("book-b", 5)
    order = order_snapshot(("book-a", 2), ("book-b", 2))
    committed.reserve_stock(order)
    return order


def part_of(order, **quantities):
    return StockRequest(order.order_id, {f"book-{name}": copies for name, copies in quantities.items()}, "ann")


def reserve_for_another_order(order):
    services.reserve_stock(order_snapshot(("book-a", 5), ("book-b", 6)))


REFUSALS = {
    "reserve: out of stock": (let_reservations_expire, reserve_for_another_order, OutOfStock),
    "reserve: another quantity": (
        lambda: None,
        lambda order: services.reserve_stock(part_of(order, a=2, b=3)),
        ReservationDiffers,
    ),
    "reserve: expired": (
        lambda: let_reservations_expire(shelf="book-b"),
        lambda order: services.reserve_stock(part_of(order, a=2, b=2)),
        ReservationEnded,
    ),
    "set quantities: out of stock": (
        let_reservations_expire,
        lambda order: services.set_reserved_quantities(order_snapshot(("book-a", 5), ("book-b", 6))),
        OutOfStock,
    ),
    "set quantities: out of stock for an order with reservations": (
        let_reservations_expire,
        lambda order: services.set_reserved_quantities(part_of(order, a=5, b=6)),
        OutOfStock,
    ),
    "set quantities: reserved for too long": (
        lambda: Reservation.objects.update(held_since="2020-01-01T00:00Z", held_for="ann"),
        lambda order: services.set_reserved_quantities(
            StockRequest(new_id(), {"book-a": 1, "book-b": 1}, "ann"), draft_of="ann"
        ),
        HeldTooLong,
    ),
    "set quantities: sold": (
        lambda: Reservation.objects.filter(shelf="book-b").update(status="confirmed"),
        lambda order: services.set_reserved_quantities(part_of(order, a=3, b=3)),
        IllegalMove,
    ),
    "extend: expired": (
        lambda: let_reservations_expire(shelf="book-b"),
        lambda order: services.extend_reservations(order.order_id),
        ReservationExpired,
    ),
    "confirm: expired": (
        lambda: let_reservations_expire(shelf="book-b"),
        lambda order: services.confirm_stock(order),
        ReservationExpired,
    ),
    "release: another quantity": (
        lambda: None,
        lambda order: services.release_reservations(part_of(order, a=2, b=3), "returned"),
        ReservationDiffers,
    ),
    "release: sold": (
        lambda: Reservation.objects.filter(shelf="book-b").update(status="confirmed"),
        lambda order: services.release_reservations(part_of(order), "returned"),
        ReservationEnded,
    ),
    "add: too much": (lambda: None, lambda order: services.add_stock("book-a", MOST_COPIES), TooMuchStock),
    "add: reference reused": (
        lambda: committed.add_stock("book-a", 1, reference="delivery-1"),
        lambda order: services.add_stock("book-a", 2, reference="delivery-1"),
        ReferenceReused,
    ),
    "adjust: reserved": (
        lambda: let_reservations_expire(shelf="book-a"),
        lambda order: services.adjust_stock("book-b", -4, reason="counted", actor="operator"),
        StockIsReserved,
    ),
    "adjust: fewer than there are": (
        let_reservations_expire,
        lambda order: services.adjust_stock("book-b", -6, reason="counted", actor="operator"),
        StockIsReserved,
    ),
    "adjust: too much": (
        let_reservations_expire,
        lambda order: services.adjust_stock("book-b", MOST_COPIES, reason="counted", actor="operator"),
        TooMuchStock,
    ),
}


@pytest.mark.parametrize(("prepare", "act", "error"), REFUSALS.values(), ids=REFUSALS)
def test_a_refused_command_has_written_nothing(order, prepare, act, error):
    """The caller of a refused command may commit."""
    prepare()
    before = written()
    with transaction.atomic(), pytest.raises(error):
        act(order)
    assert written() == before


def written():
    return [list(model.objects.order_by("pk").values()) for model in (InventoryRecord, StockEvent, Reservation)]


def test_expired_copies_are_available_to_an_order_that_reserves_again(shelve):
    shelve("book-123", 5)
    order = order_snapshot(("book-123", 2))
    committed.reserve_stock(order)
    committed.reserve_stock(order_snapshot(("book-123", 2)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    committed.set_reserved_quantities(StockRequest(order.order_id, {"book-123": 5}, "ann"))
    assert available("book-123") == 0
    assert [hold.status for hold in Reservation.objects.order_by("pk")] == ["active", "expired"]
    assert InventoryRecord.objects.get().reserved == 5


def test_an_expired_reservation_is_never_confirmed(shelve):
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


@pytest.mark.slow
def test_the_ledger_keeps_its_triggers_through_every_migration(transactional_db):
    """SQLite rewrites a table that changes, without its triggers."""
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


def test_a_books_events_stay_in_order_when_the_clock_is_set_back(shelve):
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
    sold, released, expired = (order_snapshot(("book-123", 1), customer_id=name) for name in ("ann", "bob", "cec"))
    for order in (sold, released, expired):
        committed.reserve_stock(order)
    committed.confirm_stock(sold)
    committed.release_stock(released, "The card has expired.")
    Reservation.objects.filter(order_id=expired.order_id).update(expires_at="2020-01-01T00:00Z")
    committed.expire_reservations(10)
    events = StockEvent.objects.filter(order_id__isnull=False).order_by("version")
    assert list(events.values_list("type", "actor", "reason")) == [
        ("StockReserved", "ann", ""),
        ("StockReserved", "bob", ""),
        ("StockReserved", "cec", ""),
        ("ReservationConfirmed", "ann", ""),
        ("ReservationCancelled", "bob", "The card has expired."),
        ("ReservationExpired", "clock", ""),
    ]


def test_an_expired_reservation_does_not_prevent_an_adjustment(shelve):
    shelve("book-123", 5)
    committed.reserve_stock(order_snapshot(("book-123", 5)))
    with pytest.raises(StockIsReserved):
        committed.adjust_stock("book-123", -1, reason="counted", actor="operator")
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    committed.adjust_stock("book-123", -1, reason="counted", actor="operator")
    assert available("book-123") == 4
