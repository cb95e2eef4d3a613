"""Expired reservations are returned to stock: by simultaneous runs, in batches, and after a kill."""

import signal
from threading import Event

import pytest
from django.db import connection, connections
from django.db.models import Sum

from cloudmart.database.clock import DatabaseNow
from inventory.models import InventoryRecord, Reservation, StockEvent
from orders.models import SagaStyle
from tests.committed import expire_reservations, let_reservations_expire, reserve_stock
from tests.conftest import order_snapshot
from tests.integration.test_races import all_at_once, buyer
from tests.ledger import replayed_stock
from tests.processes import running_command, wait_until

BOOKS = tuple(f"book-{number}" for number in range(5))
EXPIRED_EACH = 40


@pytest.fixture
def expired(shelve):
    """Reserves all copies of five books past their expiry. Returns the number of reservations."""
    for book_id in BOOKS:
        shelve(book_id, EXPIRED_EACH)
        for _ in range(EXPIRED_EACH):
            reserve_stock(order_snapshot((book_id, 1)))
    let_reservations_expire()
    return len(BOOKS) * EXPIRED_EACH


def still_active():
    return Reservation.objects.filter(status="active").count()


def assert_ledger_and_reservations_agree():
    for record in InventoryRecord.objects.all():
        assert replayed_stock(record.pk) == record.stock
        held = record.reservations.filter(status="active").aggregate(copies=Sum("quantity", default=0))
        assert record.reserved == held["copies"]
    expired = StockEvent.objects.filter(type="ReservationExpired").values_list("reservation_id", flat=True)
    assert sorted(expired) == sorted(Reservation.objects.filter(status="expired").values_list("pk", flat=True))


def test_three_simultaneous_runs_expire_each_reservation_once(expired):
    def expire():
        total = 0
        while (count := expire_reservations(7)) is not None:
            total += count
        return total

    assert sum(all_at_once([expire] * 3)) == expired
    assert still_active() == 0
    assert_ledger_and_reservations_agree()


def test_a_killed_run_leaves_consistent_stock(expired):
    with running_command("expire_reservations", "--batch", "1") as expiry:
        wait_until(lambda: still_active() < expired)
        expiry.send_signal(signal.SIGKILL)
        expiry.wait(timeout=60)
        assert 0 < still_active() < expired, "the run was not killed halfway"
    assert_ledger_and_reservations_agree()
    while expire_reservations(50) is not None:
        pass
    assert still_active() == 0
    assert_ledger_and_reservations_agree()


@pytest.mark.parametrize("style", SagaStyle)
def test_buyers_see_no_error_during_expiry(api, expired, style):
    done = Event()

    def expire():
        try:
            while expire_reservations(7) is not None:
                pass
        finally:
            done.set()

    def buy(*basket):
        responses = []
        try:
            while not done.is_set() or not responses:
                responses.append(buyer(api, style, *basket)())
        finally:
            connections.close_all()
        return set(responses)

    _, *bought = all_at_once([expire, lambda: buy(*BOOKS[:2]), lambda: buy(*BOOKS[::-1][:2]), lambda: buy(BOOKS[0])])
    assert all(each <= {(201, None), (409, "out_of_stock")} and (201, None) in each for each in bought), bought
    assert_ledger_and_reservations_agree()


def test_the_oldest_reservations_are_found_by_an_index(expired):
    due = Reservation.objects.filter(status="active", expires_at__lte=DatabaseNow()).order_by("expires_at")[:5]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE reservations" if connection.vendor == "mysql" else "ANALYZE")
        cursor.fetchall()
    assert "holds_by_expiry" in due.explain()
