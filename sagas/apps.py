"""Sagas: the only place that knows all four contexts."""

from importlib import import_module

from django.apps import AppConfig

PARTICIPANTS = ("inventory", "payments", "shipping", "orders")


class SagasConfig(AppConfig):
    name = "sagas"

    def ready(self) -> None:
        """Connect the choreography, each participant's reactions to the others' facts; and what a saga's end does."""
        for participant in PARTICIPANTS:
            import_module(f"sagas.choreography.{participant}")
        import_module("sagas.answers")
