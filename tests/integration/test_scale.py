"""bin/scale runs the whole topology, starts again what dies, and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.request import urlopen
from uuid import uuid4

import pytest

from cloudmart.deploy.local.health import answers
from cloudmart.deploy.local.sessions import members, send
from tests.monitoring import used
from tests.processes import ROOT, TIMEOUT, isolated, wait_until

pytestmark = pytest.mark.any_database

ORDER = {"book_id": "book-123", "quantity": 1}


@contextmanager
def topology(folder, *options):
    """Runs the topology until the block ends. The block starts once everything is ready."""
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "cloudmart.deploy.local", "--folder", folder, *options],
        cwd=ROOT,
        env=isolated({**os.environ, "PATH": path}),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert any("Kill a component" in line for line in supervisor.stdout), "the topology did not start"
        yield SimpleNamespace(supervisor=supervisor, read=lambda: json.loads((folder / "topology.json").read_text()))
    finally:
        supervisor.terminate()
        supervisor.communicate(timeout=TIMEOUT)


def place(read, style):
    """Places an order over nginx, and returns the status of the response."""
    connection = HTTPConnection(read()["url"].removeprefix("http://"), timeout=TIMEOUT)
    headers = {"Authorization": f"Bearer {read()['tokens']['tanaka']}", "Idempotency-Key": str(uuid4())}
    headers["Content-Type"] = "application/json"
    connection.request("POST", "/orders", json.dumps({**ORDER, "saga": style}), headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def scraped(port):
    """Returns the names of the metrics on this port."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT) as response:
        return set(re.findall(r"^\w+", response.read().decode(), re.MULTILINE))


def targets(port):
    """Returns the jobs of Prometheus with the number of processes that it reads."""
    with urlopen(f"http://127.0.0.1:{port}/api/v1/targets", timeout=TIMEOUT) as response:
        active = json.load(response)["data"]["activeTargets"]
    return set(Counter(each["labels"]["job"] for each in active if each["health"] == "up").items())


def test_the_topology_serves_orders_restarts_what_dies_and_leaves_nothing_behind(tmp_path):
    with topology(tmp_path, "--web", "2", "--celery", "1", "--workers", "1") as running:
        before = running.read()["components"]
        kinds = {component["kind"] for component in before.values()}
        assert kinds >= {"database", "rabbitmq", "redis", "web", "worker", "nginx", "prometheus"}
        assert [place(running.read, style) for style in ("orchestration", "choreography")] == [201, 201]

        rabbitmq = before["rabbitmq"]["metrics_port"]
        wait_until(lambda: used("rabbitmq") <= scraped(rabbitmq))

        send(before["web-1"]["pid"], signal.SIGKILL)
        assert place(running.read, "orchestration") == 201, "nginx passes the order on to the other server"
        wait_until(lambda: running.read()["components"]["web-1"]["pid"] != before["web-1"]["pid"])
        wait_until(lambda: answers("/readyz")(before["web-1"]["port"]))

        everything = {("web", 2), ("celery", 1), ("worker", 1), ("rabbitmq", 1)}
        wait_until(lambda: targets(before["prometheus"]["port"]) == everything)

        after = running.read()["components"]
        running.supervisor.terminate()
        assert running.supervisor.wait(timeout=TIMEOUT) == 0
    assert [name for name, component in {**before, **after}.items() if members(component["pid"])] == []
