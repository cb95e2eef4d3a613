"""The database server is killed and restarted every few seconds, under a load of orders.

A client gets the result, or has to repeat the request. In the end every order is stored once, every invariant holds,
and a receiver of webhooks and the streams have every event.
"""

import json
import os
import random
import shlex
import signal
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from time import monotonic, sleep
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection

from orders.models import SagaStyle
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.crash.conftest import REMARKS, SAMPLE, SEED
from tests.known_bugs import known_bug
from tests.processes import ROOT, TIMEOUT, free_port, listens, run_python, running_command, serving
from tests.sandbox import run_sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server to kill"),
]

IS_WHOLE = SAMPLE == "all"
ORDERS = 1000 if IS_WHOLE else 50
"""Of each style."""
CLIENTS, BOOKS = 8, 20
UP = (2, 5) if IS_WHOLE else (0.5, 1)
"""Minimum and maximum of the seconds between two restarts."""
COMPLETED, DECLINED = 201, 402
PASSING = {202, 409, 503}
TOKENS = {"tok_ok": COMPLETED, "tok_timeout_1": COMPLETED, "tok_insufficient_funds": DECLINED}
BUDGET = 20 * TIMEOUT if IS_WHOLE else 2 * TIMEOUT
"""Seconds in which all orders have to be placed."""


NO_KEEPALIVE = httpx.Limits(max_keepalive_connections=0)
"""A server may close an idle connection just when the client sends the next request."""

COUNT = "from orders.models import Order; print(Order.objects.count())"
WAITING = "from tests.crash.consumers import waiting; print(waiting())"
RECORDED = "import json; from tests.crash.consumers import recorded; print(json.dumps(recorded()))"
REGISTER = "from tests.webhooks import make_endpoint; make_endpoint(url='{}')"


class DatabaseServer:
    """A server that can be killed and restarted on its data."""

    def __init__(self, url, pid, command):
        self.url = url
        self.port = urlsplit(url).port
        self.command = shlex.split(command)
        self.kill = lambda: os.kill(int(pid), signal.SIGKILL)
        self.restarts = 0

    def restart(self):
        self.kill()
        self.restarts += 1
        wait_while(lambda: listens(self.port))
        server = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.kill = lambda: (server.kill(), server.wait())
        wait_while(lambda: not listens(self.port))


@pytest.fixture
def server():
    script = 'echo "$DATABASE_URL"; echo "$DATABASE_SERVER_PID"; echo "$DATABASE_SERVER"; cat'
    command = [ROOT / "bin" / "with-mysql", "bash", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        server = DatabaseServer(*(holder.stdout.readline().strip() for _ in range(3)))
        try:
            yield server
        finally:
            server.kill()
            holder.communicate(timeout=TIMEOUT)


def wait_while(condition):
    deadline = monotonic() + TIMEOUT
    while condition():
        assert monotonic() < deadline, "the condition still holds"
        sleep(0.01)


@pytest.fixture
def shop(server, running_consumers, tmp_path):
    """Returns the environment of every process: the database, the providers, the streams, and short leases."""
    running_consumers.empty()
    with run_sandbox(tmp_path / "ledger.sqlite3") as outside:
        yield {
            **os.environ,
            "DATABASE_URL": server.url,
            "PAYMENT_GATEWAY": HTTP_GATEWAY,
            "PAYMENT_GATEWAY_URL": f"{outside.url}/payments",
            "CARRIER": HTTP_CARRIER,
            "CARRIER_URL": f"{outside.url}/carrier",
            "EVENTS_URL": running_consumers.redis.url,
            "WEBHOOK_PRIVATE_ADDRESSES": "true",
            "WEBHOOK_TIMEOUT": "1",
            "LEASE": "2",
            "SAGA_BACKOFF": "0.5",
            "SAGA_MAX_BACKOFF": "2",
            "AUDIT_GRACE": "0",
            "THROTTLE_USERS": "",
            "HTTPS": "false",
            "LOG_STREAM": "stderr",
        }


@pytest.fixture
def orders():
    """Orders of which one in ten is declined, and for one in ten the first response of the gateway is lost."""
    chance = random.Random(SEED)
    tokens = chance.choices([*TOKENS], [8, 1, 1], k=2 * ORDERS)
    return [
        {
            "book_id": f"made-up-{chance.randint(1, BOOKS):07}",
            "quantity": 1,
            "payment_method": "credit_card",
            "payment_token": token,
            "saga": style,
        }
        for style, token in zip([*SagaStyle] * ORDERS, tokens, strict=True)
    ]


@known_bug("dbos-transact-py#716")
def test_every_order_is_stored_once_if_the_database_server_is_killed_repeatedly(
    server, shop, orders, running_consumers
):
    def manage(*arguments):
        return run_python("manage.py", *arguments, env=shop).stdout.strip()

    def shell(script):
        return manage("shell", "--verbosity", "0", "--command", script)

    manage("migrate", "--verbosity", "0")
    manage("seed", "--demo-users", "--books", str(BOOKS))
    shell(REGISTER.format(running_consumers.receiver.url()))
    token, port, all_placed = manage("issue_token", "tanaka"), free_port(), Event()
    deadline = monotonic() + BUDGET

    def place(number, order):
        """Repeats the request until it has a final result. Returns the status codes of all responses."""
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"key-{number}"}
        statuses = []
        while not statuses or statuses[-1] in PASSING:
            assert monotonic() < deadline, f"order {number} got {statuses[-10:]}"
            response = clients.post(f"http://127.0.0.1:{port}/orders", json=order, headers=headers)
            assert response.status_code in {COMPLETED, DECLINED, *PASSING}, response.text
            statuses.append(response.status_code)
            all_placed.wait(0.2 * (statuses[-1] in PASSING))
        return statuses

    def restart_repeatedly():
        while not all_placed.wait(random.uniform(*UP)):
            server.restart()

    with ExitStack() as stack:
        stack.enter_context(serving(port, shop))
        stack.enter_context(running_command("run_worker", **shop))
        clients = stack.enter_context(httpx.Client(timeout=TIMEOUT, trust_env=False, limits=NO_KEEPALIVE))
        threads = stack.enter_context(ThreadPoolExecutor(CLIENTS + 1))
        restarts = threads.submit(restart_repeatedly)
        try:
            results = list(threads.map(place, range(len(orders)), orders))
        finally:
            all_placed.set()
        restarts.result()
        wait_while(lambda: not audit_holds(shop))
        wait_while(lambda: shell(WAITING) != "0")
    responses = sorted(Counter(status for each in results for status in each).items())
    REMARKS.append(
        f"{server.restarts} restarts of the database under {len(orders)} orders; responses: {dict(responses)}"
    )
    assert server.restarts
    assert [each[-1] for each in results] == [TOKENS[order["payment_token"]] for order in orders]
    assert shell(COUNT) == str(len(orders))
    running_consumers.check_all(*json.loads(shell(RECORDED)))


def audit_holds(shop):
    """Returns True if every invariant holds, and no saga is due."""
    try:
        run_python("manage.py", "audit", env=shop)
    except subprocess.CalledProcessError as failed:
        assert "Invariants that do not hold" in failed.stderr, failed.stderr
        return False
    return True
