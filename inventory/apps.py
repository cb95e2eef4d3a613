"""Books and their stock."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"

    def ready(self) -> None:
        """Registers the metrics of live reservations."""
        from inventory import metrics  # noqa: F401
