"""A collector of traces: it receives spans by OTLP over HTTP, and keeps them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.processes import TIMEOUT


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as the collector has received it. Ids are in hexadecimal; `parent` is "" for the first of a trace."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    has_failed: bool
    links: list[str]
    """The traces that it is linked to."""
    began: int
    service: str


@dataclass
class Collector:
    """A running collector, and the spans that it has received so far."""

    url: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    """The body of each request."""

    def receive(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.requests.append(body)
        for group in request.resource_spans:
            service = values_of(group.resource.attributes)["service.name"]
            self.spans += [received(span, service) for scope in group.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.name == name]

    def tree(self, trace: str) -> list[str]:
        """Returns the names of the trace's spans in their order, each indented by two spaces below its parent."""
        spans = sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.began)
        known = {span.id for span in spans}

        def below(parent: str | None, depth: int) -> Iterator[str]:
            for span in spans:
                if span.parent == parent if parent else span.parent not in known:
                    yield "  " * depth + span.name
                    yield from below(span.id, depth + 1)

        return list(below(None, 0))


@contextmanager
def collecting() -> Iterator[Collector]:
    """Runs a collector on a free port of 127.0.0.1 until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.receive(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *values: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join(TIMEOUT)


def received(span: Span, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=values_of(span.attributes),
        has_failed=span.status.code == Status.STATUS_CODE_ERROR,
        links=[link.trace_id.hex() for link in span.links],
        began=span.start_time_unix_nano,
        service=service,
    )


def values_of(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
