"""Sagas: the only app that knows all four contexts."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from sagas.operations.roles import create_operators

PARTICIPANTS = ("inventory", "orders", "payments", "shipping")


class SagasConfig(AppConfig):
    name = "sagas"

    def ready(self) -> None:
        """Connects the participants of the choreography and the gauges.

        The group Operators is created after this app is migrated, which is the last one with permissions.
        """
        post_migrate.connect(create_operators, sender=self, dispatch_uid="create_operators")
        for participant in PARTICIPANTS:
            import_module(f"sagas.choreography.{participant}")
        import_module("sagas.operations.backlog")
