"""Sagas: the only app that knows all four contexts."""

from importlib import import_module

from django.apps import AppConfig

PARTICIPANTS = ("inventory", "orders", "payments", "shipping")


class SagasConfig(AppConfig):
    name = "sagas"

    def ready(self) -> None:
        """Connects the participants of the choreography and the gauges."""
        for participant in PARTICIPANTS:
            import_module(f"sagas.choreography.{participant}")
        for gauges in ("sagas.operations.backlog", "sagas.operations.figures.metrics"):
            import_module(gauges)
