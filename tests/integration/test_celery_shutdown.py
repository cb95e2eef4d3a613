"""A worker that is stopped leaves no order behind. A Celery worker that cannot do its work ends."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from celery.signals import worker_ready

from cloudmart.kernel.ids import new_id
from sagas import tasks as tasks  # connects the worker's signals
from sagas.engine import wake_ups
from sagas.models import SagaInstance
from tests.celery_worker import SLOW, driver_of, leave, running_worker, statuses
from tests.integration.test_leases import work
from tests.processes import ROOT, TIMEOUT, isolated, running_command, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def shop(customer, shelve, broker):
    shelve("book-123", 100)


@pytest.mark.any_database
def test_a_worker_that_is_stopped_finishes_its_step_and_leaves_the_order_to_another(rabbitmq, tmp_path):
    with running_worker(rabbitmq.url, tmp_path) as stopped:
        unknown = new_id()
        wake_ups.publisher.publish("choreography", unknown)
        wait_until(lambda: stopped.ended("unknown", unknown) == 1)
        order_id = leave(payment_token=SLOW)
        driver_of(order_id)
        stopped.process.terminate()
        assert stopped.process.wait(TIMEOUT) == 0
    saga = SagaInstance.objects.get()
    assert (saga.is_finished, saga.owner, saga.lease_until) == (False, "", None)
    waiting = {"orchestration.commands": 1, "choreography.commands": 0}
    assert rabbitmq.messages() == waiting, "the order wakes another driver, and the unknown one is acknowledged"
    assert not list(tmp_path.glob("tmp.*")), "the folder of the counters is deleted"
    work()
    assert statuses() == {"completed"}


@pytest.mark.any_database
def test_run_worker_that_is_stopped_leaves_the_order_to_a_celery_worker(broker):
    order_id = leave(payment_token=SLOW)
    broker.purge()
    with running_command("run_worker", BROKER_URL=broker.url) as stopped:
        driver_of(order_id)
        stopped.terminate()
        assert stopped.wait(TIMEOUT) == 0
    assert broker.messages()["orchestration.commands"] == 1


@pytest.mark.any_database
def test_a_worker_without_a_broker_does_not_start():
    """Celery's default is the RabbitMQ of this machine, which may not be ours."""
    env = isolated({"PATH": os.environ["PATH"]})
    ended = subprocess.run([ROOT / "bin" / "celery-worker"], env=env, capture_output=True, text=True, timeout=TIMEOUT)
    assert (ended.returncode, ended.stderr) == (1, "BROKER_URL is not set.\n")


@pytest.mark.any_database
def test_a_worker_whose_settings_are_wrong_leaves_no_folder(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = isolated(
        {"PATH": path, "DATABASE_URL": "sqlite://:memory:", "BROKER_URL": "redis://", "TMPDIR": str(tmp_path)}
    )
    ended = subprocess.run([ROOT / "bin" / "celery-worker"], env=env, capture_output=True, text=True, timeout=TIMEOUT)
    assert ended.returncode == 1 and "cloudmart.E028" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.any_database
@pytest.mark.parametrize("port", ["taken", "9465x", "94650"])
def test_a_worker_ends_that_cannot_serve_its_metrics(monkeypatch, tmp_path, port):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1] if port == "taken" else port
        monkeypatch.setenv("CELERY_METRICS_PORT", str(port))
        with pytest.raises(SystemExit, match=f"cannot serve metrics on 127.0.0.1:{port}"):
            worker_ready.send(sender=None)
