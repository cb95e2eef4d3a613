"""The checks of the suite: each fails if what it checks is wrong."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from itertools import chain
from uuid import uuid4

import pytest

from benchmarks.database import connect
from orders.models import SagaStyle
from tests.chaos import shop as shops
from tests.chaos.checks import check_database, check_everything, check_replays, check_responses, never
from tests.chaos.clients import Attempt
from tests.chaos.consumers import (
    check_consumed,
    check_consumers,
    check_log,
    check_partitions,
    check_published,
    check_webhooks,
    once,
    streams_in,
)
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


@pytest.fixture(scope="module")
def told(shop, orders):
    """What the consumers have, and what was recorded for them."""
    check_consumers(shop)
    webhooks = [webhook.event for webhook in shop.receiver.accepted()]
    return webhooks, streams_in(shop.topology.events_url), shop.findings()


@pytest.fixture
def changed(told):
    """Returns the documents with those of one order, which has several in one stream, changed by a function."""
    numbers = Counter(each["subject"] for each in chain(*told[1].values()))
    order_id = next(each["subject"] for each in told[0] if numbers[each["subject"]] > 2)

    def change(documents, how):
        documents = list(documents)
        own = [each for each in documents if each["subject"] == order_id]
        return [each for each in documents if each["subject"] != order_id] + how(own)

    return change


SPOILED = {
    "one is missing": lambda own: own[1:],
    "all are missing": lambda own: [],
    "one comes twice under another id": lambda own: [*own, {**own[-1], "id": "another"}],
    "the last is of another outcome": lambda own: [*own[:-1], {**own[-1], "data": {"status": "another"}}],
}


@pytest.mark.parametrize("how", SPOILED.values(), ids=SPOILED)
def test_wrong_webhooks_are_noticed(told, changed, how):
    webhooks, _, recorded = told
    with pytest.raises(AssertionError):
        check_webhooks(changed(webhooks, how), recorded)


UNORDERED = {
    "one is missing": lambda own: own[1:],
    "two are exchanged": lambda own: [own[1], own[0], *own[2:]],
    "one comes twice under another id": lambda own: [*own, {**own[-1], "id": "another"}],
}


@pytest.mark.parametrize("how", UNORDERED.values(), ids=UNORDERED)
def test_wrong_streams_are_noticed(told, changed, how):
    _, streams, recorded = told
    with pytest.raises(AssertionError):
        check_published(changed(chain(*streams.values()), how), recorded)


def test_an_event_in_the_stream_of_another_order_is_noticed(told):
    _, streams, _ = told
    with pytest.raises(AssertionError):
        check_partitions(streams | {0: streams[1], 1: streams[0]})


@pytest.mark.parametrize("how", UNORDERED.values(), ids=UNORDERED)
def test_a_wrong_consumer_is_noticed(told, changed, how):
    _, streams, _ = told
    documents = list(chain(*streams.values()))
    check_consumed(once(documents), documents)
    with pytest.raises(AssertionError):
        check_consumed(changed(once(documents), how), documents)


def test_a_gap_that_the_consumer_reports_is_noticed():
    with pytest.raises(AssertionError):
        check_log('{"id": "1"}\n{"problem": "gap", "expected": 1, "received": 2}\n')


def test_repeated_events_are_no_offence(told):
    webhooks, streams, recorded = told
    check_webhooks([*webhooks, *webhooks], recorded)
    check_published([*chain(*streams.values())] * 2, recorded)


def execute(shop, sql, order):
    """Runs SQL on the one row of the order."""
    with closing(connect(shop.topology.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"{sql} WHERE REPLACE(order_id, '-', '') = %s", [order_id_of(order).replace("-", "")])
        assert cursor.rowcount == 1
        connection.commit()


def order_id_of(order):
    return order.placed.last.body["order_id"]
