"""What Celery's worker and its processes set up: metrics, shutdown, and no queues for delayed messages."""

import gc
import logging
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from mmap import mmap
from types import FrameType
from typing import Any

from celery.signals import worker_init, worker_process_shutdown, worker_ready, worker_shutdown, worker_shutting_down
from celery.worker import consumer
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from cloudmart.kernel import tracing
from cloudmart.kernel.stopping import ShouldStop

logger = logging.getLogger(__name__)

DELAYED_DELIVERY = "celery.worker.consumer.delayed_delivery:DelayedDelivery"

LONGEST_PAUSE = 4
"""Seconds, at most, between two attempts of a worker to connect to the broker."""


class Consumer(consumer.Consumer):
    """Celery's consumer without the 28 queues that it declares beside quorum queues for delayed messages.

    It waits at most LONGEST_PAUSE seconds before it connects to the broker again; Celery's waits up to 30.
    """

    class Blueprint(consumer.Consumer.Blueprint):
        default_steps = [step for step in consumer.Consumer.Blueprint.default_steps if step != DELAYED_DELIVERY]

    def ensure_connected(self, conn: Any) -> Any:
        conn.ensure_connection = partial(conn.ensure_connection, interval_max=LONGEST_PAUSE)
        return super().ensure_connected(conn)


class Shutdown:
    """Whether tasks should stop: the worker shuts down, which its processes see, or this one has received SIGTERM."""

    def __init__(self) -> None:
        self._is_stopping = mmap(-1, 1)
        self._ends_task = False

    def begin(self) -> None:
        """Has the tasks of all processes stop after the step in hand. Called by the worker."""
        self._is_stopping[0] = 1

    @contextmanager
    def stopping_the_task(self) -> Iterator[ShouldStop]:
        """Yields a function that returns True once the task within the block should stop.

        Celery sends SIGTERM when the connection to RabbitMQ is lost. Outside of a task it ends the process.
        """
        self._ends_task = False
        before = signal.signal(signal.SIGTERM, self._end_task)
        try:
            yield self._should_stop
        finally:
            signal.signal(signal.SIGTERM, before)

    def _end_task(self, signum: int, frame: FrameType | None) -> None:
        self._ends_task = True

    def _should_stop(self) -> bool:
        return self._ends_task or self._is_stopping[0] == 1


shutdown = Shutdown()


@worker_init.connect
def share_memory_with_processes(**kwargs: Any) -> None:
    """Leaves what is imported so far out of garbage collections, which would copy it into every process."""
    gc.collect()
    gc.freeze()


@worker_ready.connect
def serve_metrics(**kwargs: Any) -> None:
    """Serves the counters of the worker's processes to Prometheus, if CELERY_METRICS_PORT is set.

    Ends the worker if it cannot listen there. Celery would log any other exception, and go on.
    """
    host, port = os.environ.get("CELERY_METRICS_HOST") or "127.0.0.1", os.environ.get("CELERY_METRICS_PORT")
    if port:
        counters = CollectorRegistry()
        MultiProcessCollector(counters)
        try:
            start_http_server(int(port), host, counters)
        except (OSError, OverflowError, ValueError) as error:
            raise SystemExit(f"cannot serve metrics on {host}:{port}: {error}") from error
    logger.info("worker ready")


@worker_shutting_down.connect
def begin_shutdown(**kwargs: Any) -> None:
    shutdown.begin()


@worker_process_shutdown.connect
def send_spans(**kwargs: Any) -> None:
    """Sends what a process has recorded. The finalizers of multiprocessing do not run in Celery's processes."""
    tracing.close()


@worker_shutdown.connect
def delete_counters(**kwargs: Any) -> None:
    """Deletes the folder that bin/celery-worker has created."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        shutil.rmtree(folder, ignore_errors=True)
