"""A database that serves reads and blocks every write, as under FLUSH TABLES WITH READ LOCK."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from knox.models import get_token_model

from orders.models import Customer
from tests.hostile.conftest import QUIET_WITH_SHORT_TIMEOUTS, Shop
from tests.processes import database_url, free_port, serving, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no lock of all tables"),
]


@pytest.fixture
def shop(customer: Customer, shelve, tmp_path: Path) -> Iterator[Shop]:
    """Runs the server on the tests' database."""
    shelve("made-up-0000001", 100)
    _, token = get_token_model().objects.create(user=customer.user)
    environment = {
        **os.environ,
        **QUIET_WITH_SHORT_TIMEOUTS,
        "DATABASE_URL": database_url(),
        "TMPDIR": str(tmp_path),
        "HTTPS": "false",
        "WEB_WORKERS": "1",
        "WEB_THREADS": "2",
        "TRANSACTION_BUDGET": "1",
    }
    port = free_port()
    with serving(port, environment) as server:
        yield Shop(port, server.pid, token, tmp_path)


@contextmanager
def no_writes() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        try:
            yield
        finally:
            cursor.execute("UNLOCK TABLES")


def test_orders_time_out_and_probes_respond_while_writes_hang(shop):
    with ThreadPoolExecutor(6) as clients:
        with no_writes():
            orders = [clients.submit(shop.order) for _ in range(6)]
            while not all(order.done() for order in orders):
                assert shop.request("GET", "/healthz")[0] == 200
            assert [order.result()[0] for order in orders] == [503] * 6
            assert shop.request("GET", "/readyz")[0] == 503
        wait_until(lambda: shop.request("GET", "/readyz")[0] == 200)
        assert shop.order()[0] == 201
