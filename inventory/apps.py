"""Books and their stock."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"

    def ready(self) -> None:
        """Registers the gauges and the check."""
        from inventory import checks, metrics  # noqa: F401
