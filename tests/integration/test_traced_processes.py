"""Several processes send the spans of one trace. What traces need is imported only if they are on."""

import json
import os
import socket
from http.client import HTTPConnection
from subprocess import CalledProcessError

import pytest

from orders.models import Order, SagaStyle
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.integration.test_worker import interrupt
from tests.otlp import collecting
from tests.processes import TIMEOUT, database_url, free_port, run_python, running_command, serving
from tests.traces import CLIENTS_TRACE, TRACEPARENT, TREES

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

AT_THE_END = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
"""A process sends its spans when it ends, and not before."""

WITHOUT_DATABASE = {**os.environ, "DATABASE_URL": "sqlite://:memory:", "DJANGO_SETTINGS_MODULE": "cloudmart.settings"}


@pytest.fixture
def environment(outside):
    """The environment of processes on the tests' database, whose providers are the sandbox."""
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "PAYMENT_GATEWAY": HTTP_GATEWAY,
        "PAYMENT_GATEWAY_URL": f"{outside.url}/payments",
        "CARRIER": HTTP_CARRIER,
        "CARRIER_URL": f"{outside.url}/carrier",
        "HTTPS": "false",
        "WEB_WORKERS": "2",
    }


@pytest.fixture
def hidden_opentelemetry(tmp_path):
    """The environment of a process that cannot import OpenTelemetry."""
    (tmp_path / "opentelemetry.py").write_text("raise ImportError")
    return {**WITHOUT_DATABASE, "PYTHONPATH": str(tmp_path)}


def place_all(port, authorization, **headers):
    """Places an order in each style. Returns the statuses of the responses."""
    statuses = []
    for style in SagaStyle:
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money", "saga": style}
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        connection.request(
            "POST",
            "/orders",
            json.dumps(body),
            {"Authorization": authorization, "Content-Type": "application/json", **headers},
        )
        statuses.append(connection.getresponse().status)
        connection.close()
    return statuses


def test_the_web_servers_processes_and_a_worker_send_one_trace_for_each_order(environment, api, shelve):
    shelve("book-123", 10)
    authorization, port = api._credentials["HTTP_AUTHORIZATION"], free_port()
    with collecting() as collector:
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **AT_THE_END}
        with serving(port, {**environment, "OTEL_SERVICE_NAME": "shop"}):
            assert place_all(port, authorization, traceparent=TRACEPARENT) == [201, 201]
            assert place_all(port, authorization, Prefer="respond-async") == [202, 202]
            assert collector.spans == []
        assert collector.tree(CLIENTS_TRACE) == [line for style in SagaStyle for line in TREES[style]]
        run_python("manage.py", "run_worker", "--once", env=environment)
    assert set(Order.objects.values_list("status", flat=True)) == {"completed"}
    for style in SagaStyle:
        drives = [span for span in collector.named(f"drive {style}") if span.trace != CLIENTS_TRACE]
        left, resumed = sorted(drives, key=lambda span: span.began)
        assert left.trace == resumed.trace
        assert (left.service, resumed.service) == ("shop", "cloudmart")
        tree = collector.tree(left.trace)
        assert tree[:2] == TREES[style][:2] and tree.count("POST /orders") == 1
        continued = tree[tree.index("    recover") :]
        assert continued[1] == f"      drive {style}"
        assert [line.strip() for line in continued].count("POST") == 2, "the worker calls both providers"


@pytest.mark.usefixtures("customer")
def test_a_collector_that_never_responds_fails_no_order(environment, shelve):
    shelve("book-123", 2)
    for style in SagaStyle:
        interrupt(style)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_MAX_QUEUE_SIZE": "4"}
        environment |= {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1", "OTEL_BSP_SCHEDULE_DELAY": "1"}
        with running_command("run_worker", "--once", **environment) as worker:
            worker.communicate(timeout=TIMEOUT)
        silent.accept()[0].close()
    assert worker.returncode == 0 and set(Order.objects.values_list("status", flat=True)) == {"completed"}


def test_a_process_that_is_forked_sends_its_own_spans():
    script = """
import multiprocessing, django
django.setup()
from cloudmart.kernel import tracing

def work(name):
    with tracing.trace(name):
        pass

work("parent")
child = multiprocessing.get_context("fork").Process(target=work, args=("child",))
child.start()
child.join()
"""
    with collecting() as collector:
        run_python("-c", script, env={**WITHOUT_DATABASE, **AT_THE_END, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        assert sorted(span.name for span in collector.spans) == ["child", "parent"]


def test_without_an_endpoint_the_tracer_of_opentelemetry_is_not_imported(hidden_opentelemetry):
    script = "import sys, cloudmart.asgi, sagas.management.commands.run_worker; print(*sys.modules)"
    needed = {"cloudmart.telemetry", "opentelemetry.sdk.trace", "opentelemetry.exporter"}

    def imported(env):
        return needed & {*run_python("-c", script, env=env).stdout.split()}

    assert imported({**WITHOUT_DATABASE, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) == needed
    assert imported(WITHOUT_DATABASE) == imported(hidden_opentelemetry) == set()


def test_an_endpoint_without_the_packages_is_an_error_of_the_check(hidden_opentelemetry):
    run_python("manage.py", "check", env=hidden_opentelemetry)
    with pytest.raises(CalledProcessError) as failed:
        run_python(
            "manage.py", "check", env={**hidden_opentelemetry, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
        )
    assert "cloudmart.E030" in failed.value.stderr
