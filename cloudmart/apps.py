"""The site: what every context shares."""

from django.apps import AppConfig


class CloudmartConfig(AppConfig):
    name = "cloudmart"

    def ready(self) -> None:
        """Register the checks of dangerous settings."""
        from cloudmart import checks  # noqa: F401
