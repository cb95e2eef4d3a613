"""Simultaneous buyers, through the whole stack except the socket: threads, each with its own connection."""

from collections import Counter
from functools import partial
from threading import Barrier, Event, Thread
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection, connections
from rest_framework.test import APIClient

from cloudmart.database.transactions import durable
from inventory.locks import lock_stock
from inventory.models import InventoryRecord, InventoryView, Reservation
from inventory.projector import catch_up
from orders.locks import lock_order
from orders.models import Order, OrderItem, SagaStyle
from payments.locks import lock_payment
from sagas.locks import lock_saga
from shipping.locks import lock_shipment
from tests.committed import add_stock, expire_reservations, reserve_stock
from tests.conftest import order_snapshot
from tests.known_bugs import known_bug
from tests.ledger import replayed_stock
from tests.processes import TIMEOUT
from tests.rounds import rounds

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
ROUNDS = rounds(1, ci=2) if connection.vendor == "sqlite" else rounds(3, ci=20)
"""SQLite allows one writer at a time, so there are few races."""


def all_at_once(jobs):
    """Runs each job in a thread, started together. Returns their results."""
    start, results = Barrier(len(jobs)), [None] * len(jobs)

    def run(number, job):
        try:
            start.wait()
            results[number] = job()
        except Exception as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=each) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def buyer(api, style, *book_ids):
    """Returns a function that orders a copy of each book, with its own client and the customer's token."""
    client = APIClient()
    client.credentials(**api._credentials)
    items = [{"book_id": book_id, "quantity": 1} for book_id in book_ids]
    body = {"items": items, "payment_method": "credit_card", "saga": style}

    def buy():
        response = client.post("/orders", body)
        return response.status_code, response.json().get("code")

    return buy


def assert_books_balance(received):
    """Asserts that stock equals its ledger, nothing is reserved, and on hand + sold = received."""
    for record in InventoryRecord.objects.all():
        assert replayed_stock(record.pk) == record.stock
        sold = OrderItem.objects.filter(book_id=record.pk, order__status="completed").count()
        assert record.on_hand + sold == received and record.reserved == 0


@known_bug("medusa#16569", "medusa PR#13931", "MySQL: lost update")
@pytest.mark.parametrize("style", SagaStyle)
def test_ten_of_fifty_buyers_get_the_ten_copies_while_the_read_model_lags(api, shelve, style):
    shelve("book-123", 0)
    catch_up()
    for round_ in range(1, ROUNDS + 1):
        add_stock("book-123", 10)
        responses = Counter(all_at_once([buyer(api, style, "book-123") for _ in range(50)]))
        assert responses == {(201, None): 10, (409, "out_of_stock"): 40}
        assert Order.objects.filter(status="completed").count() == 10 * round_
    assert InventoryView.objects.get().version == 0
    assert_books_balance(received=10 * ROUNDS)


@known_bug("SQL: order of locks")
@pytest.mark.parametrize("style", SagaStyle)
def test_crossed_orders_of_two_books_do_not_deadlock(api, shelve, style):
    copies = 12 * ROUNDS
    shelve("book-a", copies)
    shelve("book-b", copies)
    baskets = [("book-a", "book-b"), ("book-b", "book-a")] * 8
    responses = Counter()
    for _ in range(ROUNDS):
        responses.update(all_at_once([buyer(api, style, *basket) for basket in baskets]))
    assert responses == {(201, None): copies, (409, "out_of_stock"): 16 * ROUNDS - copies}
    assert_books_balance(received=copies)


@known_bug("SQL: locks without an index")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
@pytest.mark.parametrize("style", SagaStyle)
def test_the_locks_of_one_order_do_not_block_another(api, shelve, style):
    shelve("book-123", 10)
    shelve("book-456", 10)
    order_id = api.post("/orders", {**ORDER, "saga": style}).json()["order_id"]
    other_id = api.post("/orders", {**ORDER, "book_id": "book-456", "saga": style}).json()["order_id"]
    is_held, is_done = Event(), Event()

    @durable
    def hold():
        lock_saga(UUID(order_id))
        lock_order(UUID(order_id))
        lock_payment(UUID(order_id))
        lock_shipment(UUID(order_id))
        lock_stock(["book-123"])
        is_held.set()
        assert is_done.wait(TIMEOUT)

    def go_on():
        try:
            assert is_held.wait(TIMEOUT)
            connection.cursor().execute("SET SESSION innodb_lock_wait_timeout = 1")
            call_command("run_worker", once=True)
            return [buyer(api, style, "book-456")(), cancelled(api, other_id)]
        finally:
            is_done.set()

    assert all_at_once([hold, go_on]) == [None, [(201, None), 200]]


def cancelled(api, order_id):
    client = APIClient()
    client.credentials(**api._credentials)
    return client.post(f"/orders/{order_id}/cancel").status_code


def test_two_simultaneous_expiries_and_buyers_agree(api, shelve):
    shelve("book-123", 100)
    for _ in range(100):
        reserve_stock(order_snapshot(("book-123", 1)))
    Reservation.objects.update(expires_at="2020-01-01T00:00Z")

    def expire():
        total = 0
        while (count := expire_reservations(10)) is not None:
            total += count
        return total

    jobs = [expire, expire, *[buyer(api, "orchestration", "book-123") for _ in range(5)]]
    results = all_at_once(jobs)
    assert results[2:] == [(201, None)] * 5
    assert Reservation.objects.filter(status="expired").count() == 100
    assert_books_balance(received=100)


def test_simultaneous_cancellations_refund_once(api, shelve):
    shelve("book-123", 10)
    for style in SagaStyle:
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money", "saga": style}
        order_id = api.post("/orders", body).json()["order_id"]

        cancel = partial(cancelled, api, order_id)
        assert set(all_at_once([cancel] * 8)) <= {200, 202}
        payment = api.get(f"/payments/{order_id}").json()
        assert payment["status"] == "refunded" and len(payment["refunds"]) == 1
    assert_books_balance(received=10)
