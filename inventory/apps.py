"""Books and their stock."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"

    def ready(self) -> None:
        """Registers the gauges."""
        from inventory import metrics  # noqa: F401
