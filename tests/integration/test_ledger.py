"""The stock ledger: whatever services do, the row is the replay, and nobody can change what happened."""

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory import services
from inventory.errors import OutOfStock, ReservationExpired, StockIsReserved, UnknownBook
from inventory.models import InventoryRecord, LedgerIsAppendOnly, Reservation, StockEvent
from inventory.stock import replay
from tests import committed
from tests.conftest import available, facts
from tests.factories import BookFactory

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
                orders.append(facts(("book-123", number + 1)))
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


@pytest.mark.parametrize("change", [{"reserved": 6}, {"on_hand": -1}, {"reserved": -1}])
def test_the_database_refuses_an_impossible_shelf(event, change):
    with pytest.raises(DatabaseError):
        InventoryRecord.objects.update(**change)


def test_a_shortage_sweeps_expired_holds_first(shelve):
    shelve("book-123", 5)
    committed.reserve_stock(facts(("book-123", 5)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    assert available("book-123") == 5
    committed.reserve_stock(facts(("book-123", 3)))
    assert available("book-123") == 2
    assert [hold.status for hold in Reservation.objects.order_by("pk")] == ["expired", "active"]


def test_an_expired_hold_is_never_confirmed(shelve):
    shelve("book-123", 5)
    order = facts(("book-123", 5))
    committed.reserve_stock(order)
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")
    with pytest.raises(ReservationExpired):
        committed.confirm_stock(order)


def test_every_shortage_is_reported_and_lines_of_one_book_are_summed(shelve):
    shelve("book-a", 1)
    shelve("book-b", 1)
    with pytest.raises(OutOfStock) as refusal:
        committed.reserve_stock(facts(("book-a", 1), ("book-b", 2), ("book-a", 1)))
    assert refusal.value.facts["shortages"] == [
        {"book_id": "book-a", "requested": 2, "available": 1},
        {"book_id": "book-b", "requested": 2, "available": 1},
    ]
    with pytest.raises(UnknownBook):
        committed.add_stock("book-c", 1)
