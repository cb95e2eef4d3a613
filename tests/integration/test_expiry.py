"""Holds that the clock has passed are given back: by several at once, in batches, and whatever is killed meanwhile."""

import signal
from threading import Event

import pytest
from django.db import connection, connections
from django.db.models import Sum

from cloudmart.database.clock import DatabaseNow
from inventory.models import InventoryRecord, Reservation, StockEvent
from inventory.stock import replay
from orders.models import SagaStyle
from tests.committed import expire_reservations, lapse, reserve_stock
from tests.conftest import order_snapshot
from tests.integration.test_races import all_at_once, buyer
from tests.processes import running_command, wait_until

BOOKS = tuple(f"book-{number}" for number in range(5))
LAPSED_EACH = 40


@pytest.fixture
def lapsed(shelve):
    """Five shelves, each full of holds that the clock has passed."""
    for book_id in BOOKS:
        shelve(book_id, LAPSED_EACH)
        for _ in range(LAPSED_EACH):
            reserve_stock(order_snapshot((book_id, 1)))
    lapse()
    return len(BOOKS) * LAPSED_EACH


def still_held():
    return Reservation.objects.filter(status="active").count()


def assert_ledger_and_holds_agree():
    for record in InventoryRecord.objects.all():
        events = list(StockEvent.objects.filter(shelf=record).order_by("version"))
        assert replay(event.happened for event in events) == record.stock
        held = record.reservations.filter(status="active").aggregate(copies=Sum("quantity", default=0))
        assert record.reserved == held["copies"]
    expired = StockEvent.objects.filter(type="ReservationExpired").values_list("reservation_id", flat=True)
    assert sorted(expired) == sorted(Reservation.objects.filter(status="expired").values_list("pk", flat=True))


def test_three_at_once_give_each_hold_back_once(lapsed):
    def expire():
        total = 0
        while (given_back := expire_reservations(7)) is not None:
            total += given_back
        return total

    assert sum(all_at_once([expire] * 3)) == lapsed
    assert still_held() == 0
    assert_ledger_and_holds_agree()


def test_killed_in_the_middle_it_does_no_harm(lapsed):
    with running_command("expire_reservations", "--batch", "1") as expiry:
        wait_until(lambda: still_held() < lapsed)
        expiry.send_signal(signal.SIGKILL)
        expiry.wait(timeout=60)
        assert 0 < still_held() < lapsed, "it was to be killed in the middle"
    assert_ledger_and_holds_agree()
    while expire_reservations(50) is not None:
        pass
    assert still_held() == 0
    assert_ledger_and_holds_agree()


@pytest.mark.parametrize("style", SagaStyle)
def test_buyers_meanwhile_see_no_error(api, lapsed, style):
    done = Event()

    def expire():
        try:
            while expire_reservations(7) is not None:
                pass
        finally:
            done.set()

    def buy(*basket):
        answers = []
        try:
            while not done.is_set() or not answers:
                answers.append(buyer(api, style, *basket)())
        finally:
            connections.close_all()
        return set(answers)

    _, *answers = all_at_once([expire, lambda: buy(*BOOKS[:2]), lambda: buy(*BOOKS[::-1][:2]), lambda: buy(BOOKS[0])])
    assert all(each <= {(201, None), (409, "out_of_stock")} and (201, None) in each for each in answers), answers
    assert_ledger_and_holds_agree()


def test_the_oldest_are_found_along_an_index(lapsed):
    due = Reservation.objects.filter(status="active", expires_at__lte=DatabaseNow()).order_by("expires_at")[:5]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE reservations" if connection.vendor == "mysql" else "ANALYZE")
        cursor.fetchall()
    assert "holds_by_expiry" in due.explain()
