"""bin/serve on SIGTERM: it accepts no more connections, ends the requests that it has, and then ends."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.processes import TIMEOUT, free_port, listens, run_python, serving, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

SLOW = {"book_id": "made-up-0000001", "quantity": 1, "payment_token": "tok_slow_3000"}


@pytest.fixture
def environment(tmp_path):
    return {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/shop.sqlite3",
        "TMPDIR": str(tmp_path),
        "HTTPS": "false",
        "WEB_WORKERS": "1",
        "WEB_THREADS": "4",
    }


def request(port, method, path, token, body=None):
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_requests_end_before_the_server_does(environment):
    def manage(*arguments):
        return run_python("manage.py", *arguments, env=environment).stdout.strip()

    manage("migrate", "--verbosity", "0")
    manage("seed", "--demo-users", "--books", "1")
    operator, customer, port = manage("issue_token", "operator"), manage("issue_token", "tanaka"), free_port()

    def orders_in_flight():
        return len(request(port, "GET", "/saga?status=STOCK_RESERVED", operator)[1]["results"])

    with serving(port, environment) as server, ThreadPoolExecutor(3) as clients:
        orders = [clients.submit(request, port, "POST", "/orders", customer, SLOW) for _ in range(3)]
        wait_until(lambda: orders_in_flight() == 3)
        server.terminate()
        wait_until(lambda: not listens(port))
        assert [order.result()[0] for order in orders] == [201] * 3
        assert server.wait(timeout=TIMEOUT) == 0
