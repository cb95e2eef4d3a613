"""The Celery app: its settings and queues. Imported only if BROKER_URL is set, and by Celery itself.

A message says that an order's saga is due, and nothing else: the database knows the rest. A lost message costs
time, and a repeated one loses at the saga's lease.
"""

import os
from typing import Any

import celery
from celery.signals import import_modules, setup_logging
from kombu import Queue

QUEUES = {"orchestration": "orchestration.commands", "choreography": "choreography.commands"}
"""The queue of each saga style."""

RECOVER = "recover"
"""The name of the task that resumes an order's saga."""

DELIVERY_LIMIT = 5
"""How often RabbitMQ delivers a message again whose worker died, before it drops the message."""

RESPONSE_TIMEOUT = 1
"""Seconds that a publisher waits for each response of the broker."""

WORKER_TIMEOUT = 3
"""Seconds that a worker waits for each response before it connects again. When it stops it waits for six at most."""


def quorum_queue(name: str) -> Queue:
    """Returns a queue that survives the loss of a minority of the RabbitMQ nodes."""
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
    return Queue(name, routing_key=name, durable=True, queue_arguments=arguments)


SETTINGS: dict[str, Any] = {
    "include": ["sagas.tasks"],
    "task_queues": [quorum_queue(name) for name in QUEUES.values()],
    "task_create_missing_queues": False,
    # A message is acknowledged once its saga is finished, waits or is left; that of a dead process is delivered again.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_ignore_result": True,
    "worker_prefetch_multiplier": 1,
    "worker_pool": "prefork",
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_consumer": "cloudmart.celery_worker:Consumer",
    "worker_enable_remote_control": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "broker_connection_timeout": RESPONSE_TIMEOUT,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_heartbeat": 10,
    "broker_transport_options": {
        "confirm_publish": True,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "read_timeout": WORKER_TIMEOUT,
        "write_timeout": WORKER_TIMEOUT,
    },
}


def make_app() -> celery.Celery:
    """Returns the app, without Celery's part for Django, which closes the database connection after every task.

    Without BROKER_URL it reaches no broker. Celery's default is the one on this machine, which may not be ours.
    """
    from django.conf import settings

    app = celery.Celery("cloudmart", broker=settings.BROKER_URL or "memory://", fixups=[])
    app.conf.update(SETTINGS)
    return app


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
app = make_app()


@setup_logging.connect
def keep_logging(**kwargs: Any) -> None:
    """Celery configures no logging if this signal has a receiver: Django's configuration stays."""


@import_modules.connect(sender=app)
def set_up_django(**kwargs: Any) -> None:
    """Sets Django up before the worker imports the tasks."""
    import django

    django.setup()
