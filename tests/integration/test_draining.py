"""bin/serve on SIGTERM: it accepts no more connections, ends the requests that it has, and then ends."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from cloudmart_client import CloudMart, Retries

from tests.processes import TIMEOUT, free_port, listens, run_python, serving, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

BOOK, SLOW = {"book_id": "made-up-0000001", "quantity": 1}, "tok_slow_3000"
ONCE = Retries(most=0)


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


def test_requests_end_before_the_server_does(environment):
    def manage(*arguments):
        return run_python("manage.py", *arguments, env=environment).stdout.strip()

    manage("migrate", "--verbosity", "0")
    manage("seed", "--demo-users", "--books", "1")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    desk = CloudMart(url, manage("issue_token", "operator"))
    shop = CloudMart(url, manage("issue_token", "tanaka"), retries=ONCE)
    with serving(port, environment) as server, desk, shop, ThreadPoolExecutor(3) as clients:
        orders = [clients.submit(shop.orders.place, [BOOK], payment_token=SLOW) for _ in range(3)]
        wait_until(lambda: len(list(desk.sagas.list(status="STOCK_RESERVED"))) == 3)
        server.terminate()
        wait_until(lambda: not listens(port))
        assert [order.result().status for order in orders] == ["completed"] * 3
        assert server.wait(timeout=TIMEOUT) == 0
