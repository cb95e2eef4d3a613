"""Sagas: the only app that knows all four contexts."""

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig
from django.conf import settings

PARTICIPANTS = ("inventory", "orders", "payments", "shipping")


class SagasConfig(AppConfig):
    name = "sagas"

    def ready(self) -> None:
        """Connects the participants of the choreography and the metrics, and imports what publishes to RabbitMQ."""
        for participant in PARTICIPANTS:
            import_module(f"sagas.choreography.{participant}")
        for gauges in ("sagas.operations.backlog", "sagas.operations.figures.metrics"):
            import_module(gauges)
        import_module("sagas.engine.metrics").begin_to_count(import_module("orders.models").SagaStyle)
        if settings.BROKER_URL and find_spec("celery"):
            import_module("sagas.engine.wake_ups")  # at the start, because the import takes longer than an order
