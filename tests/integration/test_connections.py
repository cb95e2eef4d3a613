"""The real server keeps one database connection for each of its threads."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from knox.models import get_token_model

from tests.hostile.conftest import QUIET_WITH_SHORT_TIMEOUTS, Shop
from tests.processes import database_url, free_port, serving

pytestmark = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no list of connections")

PROCESSES, THREADS = 2, 2


@pytest.fixture
def shop(customer, shelve, tmp_path):
    """Runs the server on the tests' database."""
    shelve("made-up-0000001", 100)
    _, token = get_token_model().objects.create(user=customer.user)
    environment = {
        **os.environ,
        **QUIET_WITH_SHORT_TIMEOUTS,
        "DATABASE_URL": database_url(),
        "TMPDIR": str(tmp_path),
        "HTTPS": "false",
        "WEB_WORKERS": str(PROCESSES),
        "WEB_THREADS": str(THREADS),
    }
    port = free_port()
    with serving(port, environment) as server:
        yield Shop(port, server.pid, token, tmp_path)


def connections():
    """Returns the ids of the connections to the tests' database, without the test's own."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW PROCESSLIST")
        rows = cursor.fetchall()
        cursor.execute("SELECT CONNECTION_ID()")
        (own,) = cursor.fetchone()
    return {row[0] for row in rows if row[3] == connection.settings_dict["NAME"] and row[0] != own}


def test_requests_share_one_connection_for_each_thread(shop):
    before, seen = connections(), set()
    with ThreadPoolExecutor(8) as clients:
        for _ in range(5):
            orders = [clients.submit(shop.order) for _ in range(10)]
            assert [order.result()[0] for order in orders] == [201] * 10
            seen |= connections() - before
    assert 1 <= len(seen) <= PROCESSES * THREADS
    assert connections() - before == seen, "each of them is still open"
