"""A Celery worker for tests, and orders for it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cloudmart.kernel.stopping import always
from orders.models import Order, SagaStyle
from sagas.desk.engine import engine
from sagas.engine import wake_ups
from sagas.models import SagaInstance
from tests.conftest import order_snapshot
from tests.processes import ROOT, TIMEOUT, database_url, free_port, isolated, wait_until

SLOW = "tok_slow_2000"
"""The gateway takes two seconds for this token, in which a worker can be killed or stopped."""


class CeleryWorker:
    """bin/celery-worker, and what it has logged."""

    def __init__(self, broker_url: str, folder: Path, **changes: str) -> None:
        self.port, self._output = free_port(), folder / "output"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "DATABASE_URL": database_url(), "BROKER_URL": broker_url}
        own = {"CELERY_CONCURRENCY": "2", "CELERY_METRICS_PORT": str(self.port), "TMPDIR": str(folder)}
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [ROOT / "bin" / "celery-worker"], env=isolated({**env, **own, **changes}), stdout=output, stderr=output
            )
        wait_until(lambda: self.process.poll() is not None or "worker ready" in self.log())
        assert self.process.poll() is None, self.log()

    def log(self) -> str:
        return self._output.read_text()

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics").text

    def ended(self, outcome: str, order_id: Any) -> int:
        """Returns how many tasks of the order have ended like this."""
        return sum(f"task recover: {outcome}" in line and str(order_id) in line for line in self.log().splitlines())


@contextmanager
def running_worker(broker_url: str, folder: Path, **changes: str) -> Iterator[CeleryWorker]:
    """Runs a worker, whose environment has these changes, until the block ends."""
    worker = CeleryWorker(broker_url, folder, **changes)
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait(TIMEOUT)
        sys.stdout.write(worker.log())


def leave(style: str = SagaStyle.ORCHESTRATION, **changes: Any) -> Any:
    """Starts an order, and leaves it to others. Returns its id, once the message is published."""
    saga = engine.start(order_snapshot(("book-123", 1), style=style, **changes), should_stop=always)
    wake_ups.publisher.flush(TIMEOUT)
    return saga.order_id


def statuses() -> set[str]:
    return set(Order.objects.values_list("status", flat=True))


def driver_of(order_id: Any) -> int:
    """Returns the id of the process that drives the order, once one does."""
    driven = SagaInstance.objects.exclude(owner="").filter(order_id=order_id)
    wait_until(driven.exists)
    return int(driven.get().owner.split(":")[1])
