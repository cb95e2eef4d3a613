"""Publishes to RabbitMQ that sagas are due. Imported only if BROKER_URL is set."""

import logging
import os
from multiprocessing.util import Finalize
from queue import Full, Queue
from threading import Lock, Thread
from typing import Any
from uuid import UUID

from django.conf import settings
from kombu import Connection, Producer
from pybreaker import STATE_CLOSED, STATE_OPEN, CircuitBreaker, CircuitBreakerError, CircuitBreakerListener

from cloudmart.celery import QUEUES, RECOVER, RESPONSE_TIMEOUT, app
from sagas.engine.metrics import count_wake_up

logger = logging.getLogger(__name__)

WAITING = 1000
"""Wake-ups that may wait for RabbitMQ in a process. Further ones are skipped."""

EXPIRES_AFTER = 600
"""Seconds after which RabbitMQ drops a message that no Celery worker has received: a worker has found the saga."""

FAILURES, PAUSE = 3, 5
"""The circuit breaker skips wake-ups for PAUSE seconds after so many failures in a row. Then it tries one."""


class Outages(CircuitBreakerListener):
    """Logs each failure before an outage, and the beginning and the end of the outage."""

    def failure(self, cb: CircuitBreaker, exc: BaseException) -> None:
        if cb.current_state == STATE_CLOSED:
            logger.warning("a wake-up was not published: %r", exc)

    def state_change(self, cb: CircuitBreaker, old_state: Any, new_state: Any) -> None:
        if (old_state.name, new_state.name) == (STATE_CLOSED, STATE_OPEN):
            logger.warning("RabbitMQ is unavailable, run_worker finds the sagas")
        if new_state.name == STATE_CLOSED:
            logger.info("RabbitMQ is available again")


class Sender:
    """A connection to RabbitMQ, for one thread. Each response of the broker may take RESPONSE_TIMEOUT seconds."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def send(self, style: str, order_id: UUID) -> None:
        """Publishes the message, and waits until the broker has stored it. Connects first if need be."""
        try:
            self._connect()
            app.send_task(
                RECOVER,
                [str(order_id)],
                queue=QUEUES[style],
                producer=self._producer,
                retry=False,
                expiration=EXPIRES_AFTER,
                confirm_timeout=RESPONSE_TIMEOUT,
            )
        except BaseException:
            self._disconnect()
            raise

    def _connect(self) -> None:
        if self._connection is None:
            limits = {"read_timeout": RESPONSE_TIMEOUT, "write_timeout": RESPONSE_TIMEOUT}
            self._connection = app.connection_for_write(settings.BROKER_URL, transport_options=limits)
            self._producer = app.amqp.Producer(self._connection.default_channel, auto_declare=False)

    def _disconnect(self) -> None:
        """Drops the connection without closing it: a broker that hangs would not confirm that."""
        if self._connection is not None:
            self._connection.collect()
        self._connection = self._producer = None


class Publisher:
    """Publishes in a thread of its own, so that no order waits for RabbitMQ. A failed message is not repeated."""

    def __init__(self, most: int = WAITING) -> None:
        self._most = most
        self._start_afresh()
        os.register_at_fork(after_in_child=self._start_afresh)

    def _start_afresh(self) -> None:
        self._lock = Lock()
        self._waiting: Queue[tuple[str, UUID]] = Queue(self._most)
        self._thread: Thread | None = None
        self.breaker = CircuitBreaker(FAILURES, PAUSE, listeners=[Outages()], throw_new_error_on_trip=False)

    def publish(self, style: str, order_id: UUID) -> None:
        """Has the thread publish that the saga is due."""
        try:
            self._waiting.put_nowait((style, order_id))
        except Full:
            count_wake_up(style, "skipped")
        with self._lock:
            if self._thread is None:
                thread = Thread(target=self._run, name="wake-ups", daemon=True)
                thread.start()
                self._thread = thread
                # Unlike atexit, it also runs in the web server's processes, which multiprocessing has forked.
                Finalize(None, self.flush, exitpriority=0)

    def flush(self, seconds: float = RESPONSE_TIMEOUT) -> None:
        """Waits until everything is published, but no longer than this."""
        done = self._waiting.all_tasks_done
        with done:
            done.wait_for(lambda: not self._waiting.unfinished_tasks, seconds)

    def _run(self) -> None:
        waiting, sender = self._waiting, Sender()
        while True:
            style, order_id = waiting.get()
            try:
                self.breaker.call(sender.send, style, order_id)
            except CircuitBreakerError:
                count_wake_up(style, "skipped")
            except Exception:  # which Outages logs
                count_wake_up(style, "failed")
            else:
                count_wake_up(style, "published")
            finally:
                waiting.task_done()


publisher = Publisher()
