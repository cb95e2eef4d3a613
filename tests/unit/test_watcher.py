"""The watcher of the orders that clients wait for."""

import asyncio
import logging
from threading import Event
from uuid import UUID

import pytest
from django.db import OperationalError

from cloudmart.watcher import Watcher
from tests.processes import TIMEOUT

pytestmark = pytest.mark.any_database

ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.fixture
def watching():
    """Returns a watcher with this function, and stops it after the test."""
    started = []

    def watching(unfinished):
        watcher = Watcher(unfinished, limit=10, interval=0.001)
        started.append(watcher)
        return watcher

    yield watching
    for watcher in started:
        watcher.stop()


async def at_once(*waits):
    await asyncio.wait_for(asyncio.gather(*waits), TIMEOUT)


def test_all_orders_are_asked_for_in_one_query_until_they_are_finished(watching):
    asked = []

    def unfinished(orders):
        asked.append(orders)
        if not any({ONE, TWO} <= orders for orders in asked):
            return orders
        return orders & {TWO} if len(asked[-1]) == 2 else set()

    watcher = watching(unfinished)
    asyncio.run(at_once(watcher.wait(ONE, TIMEOUT), watcher.wait(TWO, TIMEOUT), watcher.wait(TWO, TIMEOUT)))
    assert {ONE, TWO} in asked and asked[-1] == {TWO} and watcher.waiting == 0


def test_a_client_waits_through_an_outage_of_the_database_which_is_logged_once(watching, caplog):
    failures = [OperationalError(2006, "gone")] * 3

    def unfinished(orders):
        if failures:
            raise failures.pop()
        return set()

    with caplog.at_level(logging.WARNING, logger="cloudmart.watcher"):
        asyncio.run(at_once(watching(unfinished).wait(ONE, TIMEOUT)))
    assert not failures and len(caplog.records) == 1


def test_any_other_error_ends_no_wait_either_and_has_a_traceback(watching, caplog):
    failures = [ZeroDivisionError()]

    def unfinished(orders):
        if failures:
            raise failures.pop()
        return set()

    asyncio.run(at_once(watching(unfinished).wait(ONE, TIMEOUT)))
    assert caplog.records[0].exc_info


def test_a_database_that_hangs_holds_up_no_client(watching):
    release = Event()

    def hanging(orders):
        release.wait(TIMEOUT)
        return orders

    try:
        asyncio.run(at_once(watching(hanging).wait(ONE, 0.01)))
    finally:
        release.set()


def test_nothing_is_asked_while_nobody_waits(watching):
    asked = []
    watcher = watching(lambda orders: asked.append(orders) or set())
    asyncio.run(at_once(watcher.wait(ONE, TIMEOUT)))
    asyncio.run(at_once(watcher.wait(TWO, TIMEOUT)))
    assert set().union(*asked) == {ONE, TWO} and set() not in asked
