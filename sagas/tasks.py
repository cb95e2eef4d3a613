"""The Celery task that resumes an order's saga."""

import logging
from time import perf_counter
from uuid import UUID

from django.db import DatabaseError, InterfaceError, close_old_connections
from structlog.contextvars import bound_contextvars

from cloudmart.celery import QUEUES, RECOVER, app
from cloudmart.celery_worker import shutdown
from cloudmart.database.transactions import drop_connection_after
from cloudmart.kernel import tracing
from cloudmart.kernel.errors import DatabaseBusy
from cloudmart.kernel.redaction import forget_secrets
from cloudmart.kernel.stopping import ShouldStop, never
from cloudmart.kernel.tracing import Kind
from sagas.desk.engine import engine
from sagas.engine.metrics import count_task
from sagas.engine.wake_ups import publisher
from sagas.models import SagaInstance

logger = logging.getLogger(__name__)

UNKNOWN = "unknown"
"""The style, and the outcome, of an order that does not exist."""

MESSAGE = {
    "messaging.system": "rabbitmq",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
}
"""Attributes of a message's span. The trace is that of the saga: the message has no trace context."""


@app.task(name=RECOVER)
def recover(order_id: str) -> None:
    """Resumes the order's saga, unless it is finished or another driver has its lease.

    Raises nothing: the message is processed, and what could not be done is left to `run_worker`.
    """
    began = perf_counter()
    close_old_connections()
    forget_secrets()
    with bound_contextvars(order_id=order_id), shutdown.stopping_the_task() as should_stop:
        style, outcome = _recover(order_id, should_stop)
        seconds = perf_counter() - began
        logger.info("task %s: %s after %.3f s", RECOVER, outcome, seconds)
    count_task(style, outcome, seconds)
    publisher.flush()


def _recover(order_id: str, should_stop: ShouldStop = never) -> tuple[str, str]:
    """Returns the saga's style, and how the task has ended."""
    style = UNKNOWN
    try:
        saga = _find(order_id)
        if saga is None:
            return style, UNKNOWN
        style = saga.saga_type
        attributes = {**MESSAGE, "messaging.destination.name": QUEUES[style]}
        with tracing.trace(f"process {QUEUES[style]}", attributes, kind=Kind.CONSUMER, traceparent=saga.traceparent):
            is_recovered = engine.recover(saga, should_stop)
        if is_recovered:
            return style, "recovered"
        return style, "finished" if saga.is_finished else "lost"
    except (DatabaseError, InterfaceError, DatabaseBusy) as error:
        logger.warning("the database is unavailable: %s", error)
        drop_connection_after(error)
    except Exception:
        logger.exception("task %s failed", RECOVER)
    return style, "failed"


def _find(order_id: str) -> SagaInstance | None:
    """Returns the order's saga; None also for a text that is no order's id."""
    try:
        return SagaInstance.objects.filter(order_id=UUID(order_id)).first()
    except ValueError:
        return None
