"""A trace shows an order from its request through the steps and provider calls, and contains no personal data."""

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from cloudmart import telemetry
from cloudmart.api.long_polling import LONG_POLL, LongPoll
from cloudmart.kernel import tracing
from cloudmart.kernel.errors import KeyClaimed
from cloudmart.providers.http_client import HttpClient
from cloudmart.providers.outcomes import OutcomeUnknown, Refused
from cloudmart.telemetry import OpenTelemetryTracer, SendingProvider
from orders.models import SagaStyle
from payments.errors import PaymentDeclined
from payments.gateways.mock import MockGateway
from sagas.desk.engine import engine
from sagas.engine import wake_ups
from sagas.engine.wake_ups import Publisher
from sagas.models import SagaInstance
from tests.celery_worker import running_worker
from tests.integration.test_leases import make_due
from tests.otlp import collecting
from tests.processes import TIMEOUT, wait_until
from tests.raw_server import raw_server, response
from tests.traces import CLIENTS_TRACE, TRACEPARENT, TREES

pytestmark = pytest.mark.any_database

STYLES = pytest.mark.parametrize("style", SagaStyle)
TOKEN, ADDRESS, POSTAL_CODE = "tok_4242-distinctive", "東京都千代田区千代田1-1", "100-0001"


@pytest.fixture(scope="module")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def traces(collector, settings):
    """The collector, which receives each span of this process as soon as it ends."""
    collector.spans.clear()
    collector.requests.clear()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{collector.url}/v1/traces")))
    settings.MIDDLEWARE = ["cloudmart.api.server_spans.server_span", *settings.MIDDLEWARE]
    tracing.install(OpenTelemetryTracer(lambda: provider))
    yield collector
    tracing.install(None)
    provider.shutdown()


@pytest.fixture
def place(api, shelve):
    """Places an order within the client's trace. Returns the response."""
    shelve("book-123", 3)
    api.raise_request_exception = False

    def place(style, prefer="", **changes):
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "payment_token": TOKEN}
        headers = {"traceparent": TRACEPARENT, "Prefer": prefer}
        return api.post("/orders", {**body, "saga": style, **changes}, headers=headers)

    return place


def declined(self, key, **charge):
    return Refused(PaymentDeclined(f"{charge['token']} has no money", reason="insufficient_funds"))


def unknown(self, key, **charge):
    raise OutcomeUnknown(f"no response to {charge!r}")


def broken(self, key, **charge):
    raise ZeroDivisionError(f"{charge!r}")


# --- What a trace shows -----------------------------------------------------------------------------


@STYLES
def test_a_request_continues_the_trace_of_its_client_down_to_the_provider_calls(traces, place, outside, style):
    order = place(style).json()
    assert {span.trace for span in traces.spans} == {CLIENTS_TRACE}
    assert traces.tree(CLIENTS_TRACE) == TREES[style]
    (request,) = traces.named("POST /orders")
    assert (request.kind, request.parent) == ("SERVER", TRACEPARENT.split("-")[2])
    assert request.attributes == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/orders",
        "http.response.status_code": 201,
    }
    (drive,) = traces.named(f"drive {style}")
    assert drive.attributes == {
        "cloudmart.style": style,
        "cloudmart.order_id": order["order_id"],
        "cloudmart.state": "COMPLETED",
    }
    calls = traces.named("POST")
    assert [call.attributes["server.port"] for call in calls] == [outside.port] * 2
    assert {span.kind for span in [*calls, *traces.named("ProcessPayment")]} == {"CLIENT"}
    assert not any(span.has_failed for span in traces.spans)


@pytest.mark.parametrize("header", ["", "nonsense", f"00-{'0' * 32}-{'1' * 16}-01", f"ff-{'a' * 32}-{'b' * 16}-01"])
def test_a_request_without_a_valid_traceparent_begins_a_trace(traces, api, header):
    api.get("/orders", headers={"traceparent": header} if header else {})
    (request,) = traces.spans
    assert request.parent == "" and request.trace not in header


def test_both_runs_of_a_request_that_waits_for_an_order_are_one_span(traces, api, place):
    path = f"/orders/{place(SagaStyle.ORCHESTRATION, prefer='respond-async').json()['order_id']}?wait=3"
    traces.spans.clear()
    poll = LongPoll()
    api.get(path, headers={"traceparent": TRACEPARENT}, **{LONG_POLL: poll})
    assert poll.is_postponed and not traces.spans
    poll.waited = 1.0
    api.get(path, headers={"traceparent": TRACEPARENT}, **{LONG_POLL: poll})
    (request,) = traces.spans
    assert (request.name, request.parent) == ("GET /orders/<uuid:order_id>", TRACEPARENT.split("-")[2])


def test_a_refused_order_is_no_failure_and_has_its_code(traces, place, monkeypatch):
    monkeypatch.setattr(MockGateway, "charge", declined)
    assert place(SagaStyle.ORCHESTRATION).status_code == 402
    (call,) = traces.named("call ProcessPayment")
    assert call.attributes["cloudmart.outcome"] == "Refused"
    assert call.attributes["cloudmart.error_code"] == PaymentDeclined.code
    assert traces.named("drive orchestration")[0].attributes["cloudmart.state"] == "FAILED"
    assert "undo reserve_stock" in {span.name for span in traces.spans}
    assert not any(span.has_failed for span in traces.spans)


@STYLES
def test_every_attempt_and_the_lookup_have_a_span(traces, place, monkeypatch, style):
    monkeypatch.setattr(MockGateway, "charge", unknown)
    assert place(style).status_code == 202
    attempts = traces.named("ProcessPayment")
    assert [span.attributes for span in attempts] == [
        {"cloudmart.attempt": number, "error.type": "OutcomeUnknown"} for number in (1, 2, 3)
    ]
    (call,) = traces.named("call ProcessPayment")
    assert call.attributes == {"cloudmart.outcome": "Unknown", "cloudmart.attempts": 3, "error.type": "Unknown"}
    assert call.has_failed and all(span.has_failed for span in attempts)
    assert {span.parent for span in [*attempts, *traces.named("look up ProcessPayment")]} == {call.id}


@STYLES
def test_an_unforeseen_error_fails_the_request_the_drive_and_the_call(traces, place, monkeypatch, style):
    monkeypatch.setattr(MockGateway, "charge", broken)
    assert place(style).status_code == 500
    failed = {span.name: span.attributes["error.type"] for span in traces.spans if span.has_failed}
    error = "ZeroDivisionError"
    names = ["ProcessPayment", "call ProcessPayment", f"drive {style}"]
    assert failed == {**dict.fromkeys(names, error), "POST /orders": "500"}


@STYLES
def test_who_resumes_a_saga_continues_its_trace(traces, place, monkeypatch, lines, style):
    with monkeypatch.context() as patch:
        patch.setattr(MockGateway, "charge", unknown)
        place(style)
    make_due()
    before, logged = len(traces.spans), len(lines())
    assert engine.recover(SagaInstance.objects.get())
    (first, second) = traces.named(f"drive {style}")
    (recover,) = traces.named("recover")
    assert (recover.parent, second.parent) == (first.id, recover.id)
    assert {span.trace for span in traces.spans[before:]} == {CLIENTS_TRACE}
    assert {line["trace_id"] for line in lines()[logged:]} == {CLIENTS_TRACE}


@pytest.mark.slow
def test_the_order_that_a_celery_worker_finishes_is_one_trace(
    traces, place, rabbitmq, settings, monkeypatch, tmp_path
):
    monkeypatch.setattr(wake_ups, "publisher", Publisher())
    settings.BROKER_URL = rabbitmq.url
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": traces.url, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    with running_worker(rabbitmq.url, tmp_path, **environment) as worker:
        for style in SagaStyle:
            assert place(style, prefer="respond-async").status_code == 202
        wait_until(lambda: {*SagaInstance.objects.values_list("status", flat=True)} == {"COMPLETED"})
        assert not any(span.service == "cloudmart" for span in traces.spans)
        worker.process.terminate()
        assert worker.process.wait(TIMEOUT) == 0, "a process sends its spans when it ends"
    for style in SagaStyle:
        left, resumed = traces.named(f"drive {style}")
        (message,) = traces.named(f"process {style}.commands")
        (recover,) = [span for span in traces.named("recover") if span.id == resumed.parent]
        assert (message.kind, message.parent, recover.parent) == ("CONSUMER", left.id, message.id)
        assert left.trace == resumed.trace == CLIENTS_TRACE and message.links == []


@STYLES
def test_a_command_on_an_order_has_its_own_trace_linked_to_the_orders(traces, place, desk, style):
    order = place(style).json()
    traces.spans.clear()
    assert desk.post(f"/orders/{order['order_id']}/cancel", {"reason": "Changed my mind."}).status_code == 200
    (request,) = [span for span in traces.spans if span.kind == "SERVER"]
    (drive,) = traces.named(f"drive {style}")
    assert request.trace != CLIENTS_TRACE and (drive.parent, drive.links) == (request.id, [CLIENTS_TRACE])


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/static/nothing.css"])
def test_probes_scrapes_and_static_files_have_no_span(traces, desk, path):
    desk.get(path)
    desk.get("/nothing")
    assert [span.name for span in traces.spans] == ["GET"]


def test_a_method_that_http_does_not_know_is_not_named(traces, api):
    api.generic("BREW", "/orders", headers={"traceparent": TRACEPARENT})
    (request,) = traces.spans
    assert request.name == "HTTP /orders" and request.attributes["http.request.method"] == "_OTHER"


def test_providers_receive_the_context_of_the_span_that_calls_them(traces):
    client = HttpClient(connect_timeout=5, read_timeout=5, deadline=5, max_response=1000)
    with raw_server(lambda: [response(b"{}")]) as server:
        with tracing.trace("outer", traceparent=TRACEPARENT):
            client.request("GET", f"{server.url}/secret-path?token={TOKEN}", {})
        client.request("GET", server.url, {})
        client.close()
    (call,) = traces.named("GET")
    traced, untraced = server.requests
    assert f"traceparent: 00-{CLIENTS_TRACE}-{call.id}-01".encode() in traced
    assert b"traceparent" not in untraced, "without an active span there is nothing to continue"


def test_a_request_to_a_provider_that_is_refused_has_failed(traces):
    client = HttpClient(connect_timeout=5, read_timeout=5, deadline=5, max_response=1000)
    with raw_server(lambda: [response(b"{}", 404)]) as server, tracing.trace("outer"):
        client.request("GET", server.url, {})
        client.close()
    failed = {span.name: span.attributes["error.type"] for span in traces.spans if span.has_failed}
    assert failed == {"GET": "404"}


def test_a_key_that_another_request_has_claimed_is_no_failure(traces):
    with pytest.raises(KeyClaimed), tracing.trace("claim"):
        raise KeyClaimed
    assert [span.has_failed for span in traces.spans] == [False]


# --- What it does not show, and does not break ------------------------------------------------------


@STYLES
@pytest.mark.parametrize("charge", [MockGateway.charge, declined, unknown, broken])
def test_no_span_contains_a_secret_or_personal_data(traces, place, api, customer, monkeypatch, style, charge):
    monkeypatch.setattr(MockGateway, "charge", charge)
    place(style, postal_code=POSTAL_CODE, address=ADDRESS)
    api.get("/orders", {"payment_token": TOKEN, "customer": customer.pk})
    bearer = api._credentials["HTTP_AUTHORIZATION"].split()[1]
    sent = b"".join(traces.requests)
    assert b"POST /orders" in sent
    for secret in (TOKEN, bearer, ADDRESS, POSTAL_CODE, customer.pk, customer.user.username, "has no money"):
        assert secret.encode() not in sent


def test_an_error_of_opentelemetry_turns_traces_off_and_nothing_else(place, settings, lines):
    def reject():
        raise ValueError("OTEL_EXPORTER_OTLP_TIMEOUT is no number")

    settings.MIDDLEWARE = ["cloudmart.api.server_spans.server_span", *settings.MIDDLEWARE]
    tracing.install(OpenTelemetryTracer(reject))
    try:
        assert [place(style).status_code for style in SagaStyle] == [201, 201]
    finally:
        tracing.install(None)
    assert [line["event"] for line in lines()].count("traces are off: OpenTelemetry cannot start") == 1


def test_a_process_that_ends_drops_the_spans_that_it_cannot_send_soon(collector, monkeypatch):
    """Otherwise it would wait up to 30 seconds for a collector that does not respond."""
    collector.spans.clear()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    for seconds, sent in ((TIMEOUT, ["span"]), (-1, ["span"])):
        monkeypatch.setattr(telemetry, "FLUSH_TIME", seconds)
        provider = SendingProvider()
        provider.get_tracer("tests").start_span("span").end()
        provider.shutdown()
        assert [span.name for span in collector.spans] == sent


def test_a_saga_has_no_trace_while_traces_are_off(place, lines):
    assert place(SagaStyle.ORCHESTRATION).status_code == 201
    assert SagaInstance.objects.get().traceparent is None
    assert not any("trace_id" in line for line in lines())


def test_an_unsampled_trace_stays_unsampled_also_when_another_process_continues_it(traces, api, shelve, monkeypatch):
    shelve("book-123", 3)
    with monkeypatch.context() as patch:
        patch.setattr(MockGateway, "charge", unknown)
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}
        api.post("/orders", body, headers={"traceparent": f"{TRACEPARENT[:-2]}00"})
    make_due()
    assert engine.recover(SagaInstance.objects.get())
    assert SagaInstance.objects.get().status == "COMPLETED" and traces.spans == []
