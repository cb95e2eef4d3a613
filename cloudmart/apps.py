"""The app of the site: what every context shares."""

from django.apps import AppConfig
from django.urls import register_converter


class CloudmartConfig(AppConfig):
    name = "cloudmart"

    def ready(self) -> None:
        """Registers the system checks and the path converters."""
        from cloudmart import checks  # noqa: F401
        from cloudmart.api.paths import CodeConverter

        register_converter(CodeConverter, "code")
