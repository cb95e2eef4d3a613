"""A release without items, while another request reserves one more book for the same order."""

import pytest
from django.db import connection

from cloudmart.database.transactions import durable
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import StockRequest
from inventory.models import InventoryRecord, Reservation
from inventory.services import extend_reservations, release_reservations
from tests.committed import reserve_stock
from tests.integration.test_races import ROUNDS, all_at_once

BOOKS = ("book-a", "book-b", "book-c")
release_all = durable(lambda order_id: release_reservations(StockRequest(order_id, {}, "operator"), "returned"))
extend_all = durable(extend_reservations)


@pytest.fixture(autouse=True)
def shelves(shelve):
    for book_id in BOOKS:
        shelve(book_id, 1000)


def reserve(order_id, *book_ids):
    reserve_stock(StockRequest(order_id, dict.fromkeys(book_ids, 1), "operator"))


@pytest.fixture
def reserve_before_the_lock():
    """Returns a function that runs `act` while another transaction reserves a book before its first stock lock."""

    def interleave(act, order_id, book_id):
        waiting = [lambda: all_at_once([lambda: reserve(order_id, book_id)])]

        def execute(run, sql, params, many, context):
            if waiting and "FOR UPDATE" in sql and "inventory" in sql:
                assert waiting.pop()() == [None]
            return run(sql, params, many, context)

        with connection.execute_wrapper(execute):
            act(order_id)
        assert not waiting

    return interleave


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
@pytest.mark.parametrize("late", ["book-a", "book-c"])
def test_a_book_that_is_reserved_just_before_the_lock_is_released_too(reserve_before_the_lock, late):
    order_id = new_id()
    reserve(order_id, "book-b")
    reserve_before_the_lock(release_all, order_id, late)
    assert set(Reservation.objects.values_list("shelf", "status")) == {("book-b", "released"), (late, "released")}
    assert not InventoryRecord.objects.exclude(reserved=0).exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
def test_a_book_that_is_reserved_just_before_the_lock_is_locked_to_be_extended(reserve_before_the_lock):
    order_id = new_id()
    reserve(order_id, "book-b")
    reserve_before_the_lock(extend_all, order_id, "book-c")
    assert Reservation.objects.filter(status="active").count() == 2


def test_releases_and_reservations_at_once_leave_the_books_balanced():
    for _ in range(ROUNDS):
        order_id = new_id()
        reserve(order_id, "book-b")
        jobs = [lambda o=order_id: release_all(o)] * 4
        jobs += [lambda o=order_id, b=book_id: reserve(o, b) for book_id in ("book-a", "book-c")]
        assert all_at_once(jobs) == [None] * len(jobs)
        release_all(order_id)
        assert set(Reservation.objects.values_list("status", flat=True)) == {"released"}
        assert not InventoryRecord.objects.exclude(reserved=0).exists()
