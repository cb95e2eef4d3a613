"""What surrounds the driving of a saga, in either style: whose log lines are whose, and what is counted of its end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from structlog.contextvars import bound_contextvars

from cloudmart.api.idempotency import KeyTaken
from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.redaction import register_secret
from sagas.engine.metrics import count_error, count_outcome, observe_order
from sagas.errors import LeaseLost
from sagas.models import SagaInstance

logger = logging.getLogger(__name__)


@contextmanager
def driving(saga: SagaInstance) -> Iterator[None]:
    """While `saga` is driven, outside of any transaction. It is counted when that brings it anywhere.

    Whoever is overtaken leaves here; `saga` is then as somebody else has moved it.
    """
    is_new, status_before, began = saga._state.adding, saga.status, perf_counter()
    register_secret(str(saga.payload.get("payment_token", "")))
    with bound_contextvars(order_id=str(saga.order_id), saga_id=str(saga.pk)):
        try:
            yield
        except LeaseLost:
            logger.info("overtaken")
            saga.refresh_from_db()
            return
        except (DomainError, KeyTaken):
            raise
        except Exception as error:
            count_error(saga.saga_type)
            logger.error("saga broken off: %s", type(error).__name__)
            raise
    if is_new:
        observe_order(saga.saga_type, perf_counter() - began)
    if is_new or saga.status != status_before:
        count_outcome(saga)
