"""The tracer that records spans with OpenTelemetry, and sends them by OTLP over HTTP.

Imported only if OTEL_EXPORTER_OTLP_ENDPOINT is set. OpenTelemetry reads the other OTEL_ variables itself. Spans are
sent in batches by a thread that belongs to one process: each process makes its own with its first span, so after any
fork. While the collector is slow or away, spans are dropped, and no request waits.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.util import Finalize
from threading import Lock
from time import monotonic
from types import TracebackType

from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import (
    Link,
    NoOpTracerProvider,
    SpanContext,
    SpanKind,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace import Span as RecordedSpan
from opentelemetry.trace import Tracer as Recorder
from opentelemetry.trace import TracerProvider as Provider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from cloudmart.kernel.errors import DomainError, KeyClaimed
from cloudmart.kernel.tracing import NO_SPAN, Attributes, Kind, Span

logger = logging.getLogger(__name__)

EXPORT_TIMEOUT = 3
"""Seconds for one batch, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise."""

FLUSH_TIME = 2
"""Seconds after which a process that ends sends no further batch."""

PROPAGATOR = TraceContextTextMapPropagator()


class OpenTelemetryTracer:
    """Implements the Tracer of `cloudmart.kernel.tracing`."""

    def __init__(self, new_provider: Callable[[], Provider]) -> None:
        self._new_provider = new_provider
        self._forget_provider()
        os.register_at_fork(after_in_child=self._forget_provider)

    def _forget_provider(self) -> None:
        self._lock = Lock()
        self._provider: Provider | None = None
        self._recorder: Recorder | None = None

    @property
    def recorder(self) -> Recorder:
        """Records the spans of this process."""
        if self._recorder is None:
            with self._lock:
                if self._recorder is None:
                    self._provider = self._provider_or_noop()
                    self._recorder = self._provider.get_tracer("cloudmart")
        return self._recorder

    def _provider_or_noop(self) -> Provider:
        """Makes the provider. After any error, as of a setting that is no number, this process records nothing.

        It is made within a request, which must not fail for its trace.
        """
        try:
            return self._new_provider()
        except Exception:
            logger.exception("traces are off: OpenTelemetry cannot start")
            return NoOpTracerProvider()

    @contextmanager
    def trace(self, name: str, kind: Kind, attributes: Attributes, traceparent: str | None) -> Iterator[Span]:
        carrier = {"traceparent": traceparent} if traceparent else {}
        continued = PROPAGATOR.extract(carrier, Context())
        if (active := active_context()).is_valid:
            links = links_to(get_current_span(continued).get_span_context(), active)
            with self._begin(name, kind, attributes, links=links) as span:
                yield span
            return
        with self._begin(name, kind, attributes, context=continued) as span, bound_contextvars(**bound_to_trace()):
            yield span

    def span(self, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[Span]:
        """An unsampled trace has one span in each process, for its context."""
        return self._begin(name, kind, attributes) if get_current_span().is_recording() else NO_SPAN

    def current_traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        if isinstance(self._provider, TracerProvider):
            self._provider.shutdown()

    def _begin(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        context: Context | None = None,
        links: Sequence[Link] = (),
    ) -> "OpenTelemetrySpan":
        return OpenTelemetrySpan(self.recorder.start_span(name, context, SpanKind[kind], attributes, links))


class OpenTelemetrySpan:
    """A span that OpenTelemetry records. It is active within its block."""

    def __init__(self, recorded: RecordedSpan) -> None:
        self._recorded, self._is_discarded = recorded, False

    def __enter__(self) -> "OpenTelemetrySpan":
        self._before = attach(set_span_in_context(self._recorded))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        detach(self._before)
        if error:
            self._record_error(error)
        if not self._is_discarded:
            self._recorded.end()  # which has it sent

    def _record_error(self, error: BaseException) -> None:
        """Records no message of an error: a customer or a provider may have written parts of it."""
        if isinstance(error, DomainError):
            self.set({"cloudmart.error_code": error.code})
        elif not isinstance(error, KeyClaimed):
            self.fail(type(error).__name__)

    def rename(self, name: str) -> None:
        self._recorded.update_name(name)

    def set(self, attributes: Attributes) -> None:
        self._recorded.set_attributes(attributes)

    def fail(self, error_type: str) -> None:
        self._recorded.set_attribute("error.type", error_type)
        self._recorded.set_status(StatusCode.ERROR)

    def discard(self) -> None:
        self._is_discarded = True


def active_context() -> SpanContext:
    """Returns the context of the span that is active in this thread. It is invalid without one."""
    return get_current_span().get_span_context()


def bound_to_trace() -> dict[str, str]:
    """Returns what log lines say of the active span's trace."""
    active = active_context()
    return {"trace_id": f"{active.trace_id:032x}"} if active.is_valid else {}


def links_to(other: SpanContext, active: SpanContext) -> list[Link]:
    """Returns the link to another trace; none if it is the active span's own."""
    return [Link(other)] if other.is_valid and other.trace_id != active.trace_id else []


class Exporter(OTLPSpanExporter):
    """Sends batches of spans. Once the process ends, drops what it cannot send soon."""

    deadline: float | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.deadline and monotonic() > self.deadline:
            return SpanExportResult.FAILURE
        return super().export(spans)


class SendingProvider(TracerProvider):
    """Sends the spans of this process, also when it ends."""

    def __init__(self) -> None:
        os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", str(EXPORT_TIMEOUT))
        super().__init__(resource=resource(), shutdown_on_exit=False)
        self._exporter = Exporter()
        self.add_span_processor(BatchSpanProcessor(self._exporter))
        # Unlike atexit, it also runs in the web server's processes, which multiprocessing has forked.
        Finalize(None, self.shutdown, exitpriority=0)

    def shutdown(self) -> None:
        self._exporter.deadline = monotonic() + FLUSH_TIME
        super().shutdown()


def resource() -> Resource:
    """Returns what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say of this process."""
    found = Resource.create()
    is_named = not str(found.attributes[SERVICE_NAME]).startswith("unknown_service")
    return found if is_named else found.merge(Resource({SERVICE_NAME: "cloudmart"}))
