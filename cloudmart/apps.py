"""The app of the site: what every context shares."""

from contextlib import suppress

from django.apps import AppConfig
from django.conf import settings
from django.urls import register_converter

from cloudmart.kernel import tracing


class CloudmartConfig(AppConfig):
    name = "cloudmart"

    def ready(self) -> None:
        """Registers the system checks, the metrics and the path converters, translates names of models, and begins to
        trace.
        """
        from cloudmart import checks, server_checks  # noqa: F401
        from cloudmart.api.paths import CodeConverter
        from cloudmart.outbox import metrics  # noqa: F401
        from cloudmart.pages.names import translate_names

        register_converter(CodeConverter, "code")
        translate_names()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            install_tracer()


def install_tracer() -> None:
    """Has OpenTelemetry record the spans of this process. A check reports that its packages are missing."""
    with suppress(ImportError):
        from cloudmart.telemetry import OpenTelemetryTracer, SendingProvider

        tracing.install(OpenTelemetryTracer(SendingProvider))
