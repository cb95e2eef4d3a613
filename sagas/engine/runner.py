"""The one loop that drives a saga, whatever its style: call the provider, settle, and go on, wait or stop."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import perf_counter

from django.conf import settings
from django.db import close_old_connections
from structlog.contextvars import bound_contextvars

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.transactions import durable
from cloudmart.kernel import tracing
from cloudmart.kernel.errors import DomainError, KeyClaimed
from cloudmart.kernel.redaction import register_secret
from cloudmart.kernel.stopping import ShouldStop
from cloudmart.providers.calling import ProviderResponse, call_provider
from sagas.engine.causes import cause_of_error, cause_of_response, in_english
from sagas.engine.lease import extend, has_work_left, release
from sagas.engine.metrics import count_error, count_outcome, observe_order
from sagas.engine.style import Call, Settled, Style
from sagas.engine.waiting import next_attempt, request_attention
from sagas.engine.waking import wake
from sagas.errors import LeaseLost
from sagas.locks import lock_saga
from sagas.models import Direction, SagaInstance

logger = logging.getLogger(__name__)

ONCE = 1
"""Value of `attention_after` for a saga that an operator drives: its first failed run requires attention."""


def run(saga: SagaInstance, style: Style, call: Call | None, should_stop: ShouldStop) -> None:
    """Drives the saga until it is finished, has to wait, or `should_stop()`: then another driver continues.

    Raises LeaseLost.
    """
    while call:
        if should_stop():
            _leave_to_others(saga)
            return
        response = call_provider(call.operation, call.intent, before_retry=partial(extend, saga))
        if not call.operation.is_settled_by(response.outcome):
            _wait_for_provider(saga, style, call, response)
            return
        call = style.advance(Settled(call, response))


@durable
def _leave_to_others(saga: SagaInstance) -> None:
    release(saga, wake_at=DatabaseNow())
    wake(saga)


@durable
def _wait_for_provider(saga: SagaInstance, style: Style, call: Call, response: ProviderResponse) -> None:
    """Has the saga wait for another attempt; none at a step that goes forward if a cancellation is requested."""
    cause = cause_of_response(call, response)
    may_be_cancelled = call.direction == Direction.DO
    wait(saga, cause, f"{in_english(cause)}: {response.outcome}", may_be_cancelled=may_be_cancelled)
    style.record_unsettled(call, response)
    logger.warning("saga %s waits for %s: %s", saga.pk, call.name, response.outcome)


def wait(
    saga: SagaInstance, cause: str, why: str, *, may_be_cancelled: bool = False, attention_after: int | None = None
) -> None:
    """Releases the lease until the next run, and requests attention after ATTENTION_AFTER failed ones.

    The next run is at once if the saga `may_be_cancelled` and its cancellation is requested. A saga that is finished
    meanwhile stays as it is. Raises LeaseLost.
    """
    locked = lock_saga(saga.order_id, saga.fence)
    attempts = locked.attempts + 1
    if not SagaInstance.objects.filter(has_work_left(), pk=saga.pk).exists():
        return
    is_cancelled = may_be_cancelled and locked.cancel_reason is not None
    release(saga, attempts=attempts, wake_at=DatabaseNow() if is_cancelled else next_attempt(attempts))
    if is_cancelled:
        wake(saga)
    if attempts >= (attention_after or settings.ATTENTION_AFTER):
        request_attention(saga, cause, why, attempts)


def wait_after_error(saga: SagaInstance, error: Exception, attention_after: int | None = None) -> SagaInstance:
    """Has a saga wait that an unforeseen error has interrupted, and logs the error. The caller holds its lease."""
    with bound_contextvars(order_id=str(saga.order_id), saga_id=str(saga.pk)):
        logger.error("saga %s of order %s interrupted", saga.pk, saga.order_id, exc_info=error)
    close_old_connections()
    with suppress(LeaseLost):
        why = str(error) if isinstance(error, DomainError) else f"{type(error).__name__}: see the log"
        durable(wait)(saga, cause_of_error(error), why, attention_after=attention_after)
    saga.refresh_from_db()
    return saga


@contextmanager
def driving(saga: SagaInstance, *, is_new: bool = False) -> Iterator[None]:
    """Binds the log lines and the spans within to the order, and counts the outcome.

    The first drive begins the saga's trace, or continues that of its request, and later ones continue it. Handles
    LeaseLost: `saga` is refreshed, and its new driver counts.
    """
    status_before, began = saga.status, perf_counter()
    register_secret(str(saga.payload.get("payment_token", "")))
    ids = {"order_id": str(saga.order_id), "saga_id": str(saga.pk)}
    with bound_contextvars(**ids), tracing.trace(f"drive {saga.saga_type}", traceparent=saga.traceparent) as span:
        span.set({"cloudmart.style": saga.saga_type, "cloudmart.order_id": ids["order_id"]})
        if is_new:
            saga.traceparent = tracing.current_traceparent()
        try:
            yield
        except LeaseLost:
            logger.info("lease lost")
            span.set({"cloudmart.lease_lost": True})
            saga.refresh_from_db()
            return
        except (DomainError, KeyClaimed):
            raise
        except Exception as error:
            count_error(saga.saga_type)
            logger.error("saga interrupted: %s", type(error).__name__)
            raise
        span.set({"cloudmart.state": saga.status})
    if is_new:
        observe_order(saga.saga_type, perf_counter() - began)
    if is_new or saga.status != status_before:
        count_outcome(saga)
