"""The checks of the suite: each fails if what it checks is wrong."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest

from benchmarks.database import connect
from orders.models import SagaStyle
from tests.chaos import shop as shops
from tests.chaos.checks import check_database, check_everything, check_replays, check_responses, never
from tests.chaos.clients import Attempt
from tests.chaos.load import placed_while
from tests.chaos.stories import CANCELLED, PLACED

SECONDS = 2


@pytest.fixture(scope="module")
def orders(shop):
    """Completed orders, of a load that passes every check."""
    placed = placed_while(shop, SagaStyle.values, lambda is_over: None, SECONDS)
    check_everything(shop, placed)
    return (order for order in placed if order.placed.last.outcome == PLACED and not order.cancellation)


@pytest.fixture
def order(orders):
    """A completed order that no other test has."""
    return next(orders)


@pytest.mark.parametrize("status", [0, 500, 502, 504])
def test_a_wrong_response_is_noticed_although_a_repeat_was_right(order, status):
    wrong = replace(order.placed, attempts=[Attempt(status, {}, 0, 0), *order.placed.attempts])
    with pytest.raises(AssertionError):
        check_responses([replace(order, requests=[wrong])], never)


def test_a_charge_under_another_key_is_noticed(shop, order):
    with closing(sqlite3.connect(shop.sandbox.ledger, isolation_level=None)) as ledger:
        again = "INSERT INTO entries SELECT reference, provider, kind, ?, ?, order_id, amount, made_at FROM entries"
        key = uuid4().hex
        ledger.execute(f"{again} WHERE provider = 'payments' AND order_id = ?", (key, key, order_id_of(order)))
        try:
            with pytest.raises(AssertionError):
                check_database(shop, [order])
        finally:
            ledger.execute("DELETE FROM entries WHERE key = ?", (key,))
    check_database(shop, [order])


def test_an_order_that_ended_otherwise_than_its_story_is_noticed(shop, order):
    with pytest.raises(AssertionError):
        check_database(shop, [replace(order, story=replace(order.story, end=CANCELLED))])


def test_a_key_that_is_forgotten_is_noticed_and_so_is_its_second_order(shop, order):
    execute(shop, "DELETE FROM idempotency_keys", order)
    with pytest.raises(AssertionError):
        check_replays(shop, [order])
    with pytest.raises(AssertionError):
        check_database(shop, [order])


def test_an_order_that_is_left_unfinished_is_noticed(shop, order, monkeypatch):
    monkeypatch.setattr(shops, "DRAIN", 1)
    execute(shop, "UPDATE saga_instances SET status = 'STOCK_RESERVED', wake_at = '2100-01-01'", order)
    try:
        with pytest.raises(TimeoutError):
            shop.drain()
    finally:
        execute(shop, "UPDATE saga_instances SET status = 'COMPLETED', wake_at = NULL", order)


def execute(shop, sql, order):
    """Runs SQL on the one row of the order."""
    with closing(connect(shop.topology.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"{sql} WHERE REPLACE(order_id, '-', '') = %s", [order_id_of(order).replace("-", "")])
        assert cursor.rowcount == 1
        connection.commit()


def order_id_of(order):
    return order.placed.last.body["order_id"]
