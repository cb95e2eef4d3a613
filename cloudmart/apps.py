"""The app of the site: what every context shares."""

from django.apps import AppConfig
from django.urls import register_converter


class CloudmartConfig(AppConfig):
    name = "cloudmart"

    def ready(self) -> None:
        """Registers the system checks and the path converters, and makes names of models translatable."""
        from cloudmart import checks  # noqa: F401
        from cloudmart.api.paths import CodeConverter
        from cloudmart.pages.names import translate_names

        register_converter(CodeConverter, "code")
        translate_names()
