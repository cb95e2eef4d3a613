"""Sagas: the only place that knows all four contexts."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from sagas.operations.roles import create_operators

PARTICIPANTS = ("inventory", "shipping", "payments", "orders")
"""As they hear a fact in turn: money goes back once the parcel is called off, which may be refused."""


class SagasConfig(AppConfig):
    name = "sagas"

    def ready(self) -> None:
        """Connect the choreography, each participant's reactions to the others' facts; and what else listens.

        Of all apps with permissions this is migrated last, so that the group of those who hold them comes after it.
        """
        post_migrate.connect(create_operators, sender=self, dispatch_uid="create_operators")
        for participant in PARTICIPANTS:
            import_module(f"sagas.choreography.{participant}")
        import_module("sagas.desk.responses")
        import_module("sagas.operations.admin")
        import_module("sagas.operations.backlog")
