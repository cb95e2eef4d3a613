"""Books and their stock."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"
