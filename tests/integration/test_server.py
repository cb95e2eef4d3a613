"""The real server with several processes: /metrics sums over all of them."""

import json
import os
from http.client import HTTPConnection

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import TIMEOUT, free_port, run_python, serving

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

ORDER = {"book_id": "made-up-0000001", "quantity": 1, "payment_method": "e_money"}
DECLINED = {**ORDER, "payment_token": "tok_insufficient_funds"}


@pytest.fixture
def environment(tmp_path):
    """The environment of a server with its own SQLite file; its folders are created in `tmp_path`."""
    return {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/shop.sqlite3",
        "TMPDIR": str(tmp_path),
        "HTTPS": "false",
        "WEB_WORKERS": "2",
        "WEB_THREADS": "2",
    }


@pytest.fixture
def one_core():
    """Lets the test and its processes use one core only."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    yield
    os.sched_setaffinity(0, usable)


def request(port, method, path, token="", body=None):
    """Sends a request over a new connection. Returns the status and text of the response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def outcomes(text):
    """Returns the number of orders by outcome."""
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {sample.labels["outcome"]: sample.value for sample in families["cloudmart_orders"].samples}


def counting(folder):
    """Returns the processes that have counted something."""
    return {path.stem.rpartition("_")[2] for path in folder.glob("*/histogram_*.db")}


def test_metrics_sum_over_the_processes_of_the_server(tmp_path, environment):
    def manage(*arguments):
        return run_python("manage.py", *arguments, env=environment).stdout.strip()

    manage("migrate", "--verbosity", "0")
    manage("seed", "--demo-users", "--books", "1")
    operator, customer, port = manage("issue_token", "operator"), manage("issue_token", "tanaka"), free_port()
    with serving(port, environment) as server:
        assert request(port, "GET", "/readyz") == (200, '{"status":"ready"}')
        declined = request(port, "POST", "/orders", customer, DECLINED)
        assert declined[0] == 402
        placed = 0
        while placed < 200 and (placed < 5 or len(counting(tmp_path)) < 2):
            assert request(port, "POST", "/orders", customer, ORDER)[0] == 201
            placed += 1
        assert len(counting(tmp_path)) == 2, "both processes have placed orders"
        for _ in range(10):
            status, text = request(port, "GET", "/metrics", operator)
            assert status == 200 and outcomes(text) == {"completed": placed, "failed": 1, "error": 0}
        assert request(port, "GET", "/metrics", customer)[0] == 403
        (folder,) = {path.parent for path in tmp_path.glob("*/counter_*.db")}
        assert folder.stat().st_mode & 0o077 == 0, "other users cannot read it"
        server.terminate()
        assert server.wait(timeout=TIMEOUT) == 0
        written = [json.loads(line) for line in server.log.splitlines()]
    assert not folder.exists()
    requests = [line for line in written if line["event"] == "request" and line["path"] == "/orders"]
    assert len(requests) == placed + 1 and all(line["request_id"] for line in requests)
    assert customer not in str(written) and operator not in str(written)


def test_by_default_there_is_a_process_for_each_usable_core_and_nothing_to_warn_about(environment, one_core, capsys):
    for name in ("WEB_WORKERS", "WEB_THREADS"):
        del environment[name]
    run_python("manage.py", "migrate", "--verbosity", "0", env=environment)
    port = free_port()
    with serving(port, environment):
        assert request(port, "GET", "/healthz")[0] == request(port, "GET", "/readyz")[0] == 200
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line["event"].startswith("Started worker") for line in lines) == 1
    assert {line["level"] for line in lines} == {"info"}


def test_metrics_of_processes_that_share_a_folder_are_added(tmp_path):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "cloudmart.settings",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
    }

    def run(*statements):
        return run_python("-c", "; ".join(["import django", "django.setup()", *statements]), env=environment).stdout

    for orders in (1, 2):
        run(
            "from sagas.engine.metrics import count_refusal",
            f"[count_refusal('s', 'out_of_stock') for _ in range({orders})]",
        )
    text = run(
        "from prometheus_client import generate_latest",
        "from cloudmart.api.metrics import counter_registry",
        "print(generate_latest(counter_registry()).decode())",
    )
    assert 'cloudmart_stock_shortages_total{stage="desk"} 3.0' in text
