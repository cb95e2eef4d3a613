"""The site: what every context shares."""

from django.apps import AppConfig
from django.urls import register_converter


class CloudmartConfig(AppConfig):
    name = "cloudmart"

    def ready(self) -> None:
        """Register the checks of dangerous settings, and what a path can name."""
        from cloudmart import checks  # noqa: F401
        from cloudmart.api.paths import CodeConverter

        register_converter(CodeConverter, "code")
