"""Sagas: the only place that knows all four contexts."""

from importlib import import_module

from django.apps import AppConfig

PARTICIPANTS = ("inventory", "shipping", "payments", "orders")
"""As they hear a fact in turn: money goes back once the parcel is called off, which may be refused."""


class SagasConfig(AppConfig):
    name = "sagas"

    def ready(self) -> None:
        """Connect the choreography, each participant's reactions to the others' facts; and what else listens."""
        for participant in PARTICIPANTS:
            import_module(f"sagas.choreography.{participant}")
        import_module("sagas.answers")
        import_module("sagas.backlog")
