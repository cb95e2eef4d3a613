"""Clients of the real server that wait for an order: when they have their response, and whom they delay."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from time import monotonic

import pytest

from tests.processes import ROOT, TIMEOUT, free_port, isolated, listens, run_python, serving, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

ORDER = {"book_id": "made-up-0000001", "quantity": 1}
BUDGET = 4


class Shop:
    """A server of one process with two threads and its own database. No worker runs but for `run_worker`."""

    def __init__(self, environment):
        self.environment, self.port = environment, free_port()
        self.manage("migrate", "--verbosity", "0")
        self.manage("seed", "--demo-users", "--books", "1")
        self.token = self.manage("issue_token", "tanaka")

    def manage(self, *arguments):
        return run_python("manage.py", *arguments, env=self.environment).stdout.strip()

    def run_worker(self):
        self.manage("run_worker", "--once")

    def send(self, path, method="GET", body=None, **headers):
        """Returns the connection; the response has yet to be read."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}", **headers}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        return connection

    def ask(self, path, *arguments, **headers):
        """Returns the status, the body, and how long the response took."""
        began = monotonic()
        return (*received(self.send(path, *arguments, **headers)), monotonic() - began)

    def leave_order(self, **more):
        """Returns the path of an order that is left to the workers."""
        status, order, _ = self.ask("/orders", "POST", ORDER | more, Prefer="respond-async")
        assert status == 202
        return f"/orders/{order['order_id']}"


def received(connection):
    try:
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def shop(tmp_path):
    return Shop(
        {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{tmp_path}/shop.sqlite3",
            "TMPDIR": str(tmp_path),
            "HTTPS": "false",
            "WEB_WORKERS": "1",
            "WEB_THREADS": "2",
            "REQUEST_BUDGET": str(BUDGET),
            "THROTTLE_USERS": "600/min",
        }
    )


def status_of(path):
    return f"/saga/{path.rpartition('/')[2]}/status"


def lines_about(server, path):
    written = [json.loads(line) for line in server.log.splitlines()]
    return [line for line in written if line["event"] == "request" and line["path"] == path]


def test_a_client_has_its_response_when_a_worker_has_finished_the_order(shop):
    shop.environment["REQUEST_BUDGET"] = str(TIMEOUT)
    with serving(shop.port, shop.environment) as server, ThreadPoolExecutor(2) as clients:
        path = shop.leave_order()
        waiting = [clients.submit(shop.ask, f"{each}?wait=3600") for each in (path, status_of(path))]
        shop.run_worker()
        (status, order, took), (_, saga, _) = [each.result() for each in waiting]
        assert (status, order["status"], saga["status"]) == (200, "completed", "COMPLETED") and took < TIMEOUT
        (line,) = lines_about(server, path)
        assert line["waited_ms"] <= line["duration_ms"] <= took * 1000 and line["status"] == 200


def test_a_client_has_its_response_when_another_request_has_finished_the_order(shop):
    shop.environment["REQUEST_BUDGET"] = str(TIMEOUT)
    with serving(shop.port, shop.environment), ThreadPoolExecutor(1) as clients:
        placing = clients.submit(shop.ask, "/orders", "POST", {**ORDER, "payment_token": "tok_slow_3000"})
        wait_until(lambda: shop.ask("/orders")[1]["results"])
        (order,) = shop.ask("/orders")[1]["results"]
        status, order, took = shop.ask(f"/orders/{order['order_id']}?wait=60")
        assert (status, order["status"]) == (200, "completed") and took < TIMEOUT
        assert placing.result()[0] == 201


def test_when_the_worker_dies_a_client_has_the_unfinished_order_when_the_budget_is_spent(shop):
    with serving(shop.port, shop.environment):
        path = shop.leave_order(payment_token="tok_slow_30000")
        command = [sys.executable, "manage.py", "run_worker", "--once"]
        with subprocess.Popen(command, cwd=ROOT, env=isolated(shop.environment)) as worker:
            wait_until(lambda: "started" in {step["status"] for step in shop.ask(status_of(path))[1]["steps"]})
            waiting = shop.send(f"{path}?wait=60")
            began = monotonic()
            worker.kill()
        status, order = received(waiting)
        assert (status, order["status"]) == (200, "pending") and monotonic() - began < 2 * BUDGET


def test_without_a_worker_a_client_has_the_unfinished_order_when_the_budget_is_spent(shop):
    with serving(shop.port, shop.environment) as server:
        path = shop.leave_order()
        status, order, took = shop.ask(f"{path}?wait=60")
        assert (status, order["status"]) == (200, "pending") and BUDGET <= took < 2 * BUDGET
        assert shop.ask(f"{path}?wait=1")[2] < BUDGET
        assert [line["waited_ms"] >= 900 for line in lines_about(server, path)] == [True, True]


def test_waiting_clients_delay_nobody_up_to_a_limit_and_leave_when_they_disconnect(shop):
    shop.environment |= {"REQUEST_BUDGET": str(TIMEOUT), "WEB_WAITING": "50"}
    with serving(shop.port, shop.environment) as server:
        path = shop.leave_order()

        def is_full():
            """A further client has its response at once, without having waited."""
            *_, took = shop.ask(f"{path}?wait=1")
            return took < 0.9

        assert not is_full()
        waiting = [shop.send(f"{path}?wait=60") for _ in range(50)]
        wait_until(is_full)  # an early probe may have had the place of one of them
        assert max(shop.ask("/orders")[2] for _ in range(20)) < 1
        for connection in waiting[:25]:
            connection.close()
        wait_until(lambda: not is_full())
        shop.run_worker()
        answers = [received(connection)[1]["status"] for connection in waiting[25:]]
        assert answers.count("completed") >= 24
        assert len([line for line in lines_about(server, path) if line.get("waited_ms", 0) > 1500]) in {24, 25}


def test_a_server_that_is_stopped_answers_the_clients_that_wait(shop):
    with serving(shop.port, shop.environment) as server:
        path = shop.leave_order()
        waiting = shop.send(f"{path}?wait=60")
        shop.ask("/orders")
        server.terminate()
        wait_until(lambda: not listens(shop.port))
        assert received(waiting)[1]["status"] == "pending"
        assert server.wait(timeout=TIMEOUT) == 0
