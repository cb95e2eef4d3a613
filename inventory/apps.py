"""Books and their stock."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"

    def ready(self) -> None:
        """Have what is held now told with the metrics."""
        from inventory import metrics  # noqa: F401
