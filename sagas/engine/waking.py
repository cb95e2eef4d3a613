"""Wakes a Celery worker for a saga that is due, so that it is resumed before `run_worker` finds it.

Without BROKER_URL, and if the message is lost, `run_worker` finds the saga when it next looks.
"""

from uuid import UUID

from django.conf import settings
from django.db import transaction

from sagas.models import SagaInstance


def wake(saga: SagaInstance) -> None:
    """Has a Celery worker resume the saga once the open transaction, if there is one, is committed.

    Raises nothing, and waits for nothing. Does nothing without BROKER_URL.
    """
    if settings.BROKER_URL:
        style, order_id = saga.saga_type, saga.order_id
        # No partial(): Django cannot log its error, for which it needs the function's name, and raises another one.
        transaction.on_commit(lambda: _publish(style, order_id), robust=True)


def _publish(style: str, order_id: UUID) -> None:
    from sagas.engine.wake_ups import publisher  # its packages need not be installed without BROKER_URL

    publisher.publish(style, order_id)
