"""The Python client against a server that is made up: what it repeats, what it raises, what it reads."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from cloudmart_client import CloudMart, ConnectionFailed, NotFinished, Problem, Retries, UnexpectedResponse, problems
from cloudmart_client.models import EVENTS, OrderCompletedEvent
from cloudmart_client.orders import Orders
from cloudmart_client.transport import Transport
from cloudmart_client.webhooks import InvalidWebhook, OtherEvent, event_in, verify
from standardwebhooks.webhooks import Webhook

from cloudmart.api.catalogue import CATALOGUE
from cloudmart.api.document import document
from cloudmart.api.problems import problem
from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_examples import example_of
from cloudmart.webhooks.examples import WITH_SECRET_EXAMPLE
from sagas.desk.examples import ORDER_WITH_PARCEL
from tests.processes import ROOT

pytestmark = pytest.mark.any_database

CLIENT = ROOT / "clients" / "python"
PLACED = {**ORDER_WITH_PARCEL, "saga_status": "COMPLETED"}
ITEMS = [{"book_id": "book-123", "quantity": 1}]
AT_ONCE = Retries(first_pause=0)
KEY = "Idempotency-Key"


class MadeUpServer:
    """Gives these responses in turn, or raises these errors. It keeps the requests and their keys."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.requests, self.keys = [], []

    def __call__(self, request):
        self.requests.append(request)
        self.keys.append(request.headers.get(KEY))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def client_of(server, **options):
    options = {"retries": AT_ONCE, **options}
    return CloudMart("https://shop.example.com", "token-1", transport=httpx.MockTransport(server), **options)


def placed(status=201):
    return httpx.Response(status, json=PLACED)


def refused(code, **details):
    made = problem(code, **details)
    return httpx.Response(made["status"], json=json.loads(json.dumps(made["data"])), headers=made["headers"])


# --- Repeats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("no response"),
        httpx.RemoteProtocolError("closed"),
        httpx.DecodingError("no gzip"),
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(500),
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(503, headers={"Retry-After": "0"}),
        httpx.Response(409, json={"code": "idempotency_key_in_use", "detail": "…"}, headers={"Retry-After": "0"}),
    ],
    ids=lambda failure: getattr(failure, "status_code", type(failure).__name__),
)
def test_a_command_that_fails_on_the_way_is_repeated_with_the_same_key(failure):
    server = MadeUpServer(failure, failure, placed())
    with client_of(server) as shop:
        assert shop.orders.place(ITEMS).status == "completed"
    assert len(server.requests) == 3 and len(set(server.keys)) == 1 and server.keys[0]
    assert len({request.content for request in server.requests}) == 1


def test_each_command_has_a_key_of_its_own_unless_one_is_given():
    server = MadeUpServer(placed(), placed(), placed())
    with client_of(server) as shop:
        shop.orders.place(ITEMS)
        shop.orders.place(ITEMS)
        shop.orders.place(ITEMS, idempotency_key="basket-4711")
    first, second, given = server.keys
    assert first != second and given == "basket-4711"


def test_what_a_repeat_cannot_change_is_not_repeated():
    for code in ("out_of_stock", "payment_declined", "invalid", "not_authenticated", "saga_running"):
        server = MadeUpServer(refused(code, **CATALOGUE[code].example))
        with client_of(server) as shop, pytest.raises(Problem) as raised:
            shop.orders.place(ITEMS)
        assert raised.value.code == code and len(server.requests) == 1


def test_a_read_is_repeated_without_a_key():
    server = MadeUpServer(httpx.ConnectError("refused"), httpx.Response(200, json=ORDER_WITH_PARCEL))
    with client_of(server) as shop:
        shop.orders.get(PLACED["order_id"])
    assert server.keys == [None, None]


def test_the_last_error_names_the_key_with_which_the_command_can_be_repeated():
    server = MadeUpServer(*[httpx.ReadTimeout("no response")] * 3)
    with client_of(server, retries=Retries(most=2, first_pause=0)) as shop, pytest.raises(ConnectionFailed) as failed:
        shop.orders.place(ITEMS)
    assert [failed.value.idempotency_key] * 3 == server.keys
    server = MadeUpServer(*[refused("database_unavailable")] * 3)
    with (
        client_of(server, retries=Retries(most=0)) as shop,
        pytest.raises(problems.DatabaseUnavailable) as unavailable,
    ):
        shop.orders.place(ITEMS)
    assert (unavailable.value.idempotency_key, unavailable.value.retry_after) == (server.keys[0], 5)


def pauses(retries, *outcomes):
    """Returns the pauses before the repeats of a read that gets these responses."""
    slept = []
    http = httpx.Client(base_url="https://shop.example.com", transport=httpx.MockTransport(MadeUpServer(*outcomes)))
    Transport(http, retries, slept.append).get("/orders")
    return slept


def test_pauses_grow_and_differ_and_are_no_shorter_than_the_server_wants():
    growing = pauses(Retries(), *[httpx.Response(503)] * 4, httpx.Response(200))
    assert all(0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(growing)) and len(growing) == 4
    assert pauses(Retries(), httpx.Response(503, headers={"Retry-After": "7"}), httpx.Response(200)) == [7]
    in_ten_seconds = format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
    dated = httpx.Response(503, headers={"Retry-After": in_ten_seconds})
    assert 8 < pauses(Retries(), dated, httpx.Response(200))[0] <= 10
    malformed = httpx.Response(503, headers={"Retry-After": "soon"})
    assert 0.25 <= pauses(Retries(), malformed, httpx.Response(200))[0] <= 0.5


def test_a_server_that_wants_more_time_than_allowed_is_not_waited_for():
    server = MadeUpServer(
        httpx.Response(429, json={"code": "throttled", "detail": "…"}, headers={"Retry-After": "31"})
    )
    with client_of(server) as shop, pytest.raises(problems.Throttled) as raised:
        shop.orders.place(ITEMS)
    assert raised.value.retry_after == 31 and len(server.requests) == 1


# --- Errors -------------------------------------------------------------------------------------------


def test_each_problem_has_a_class_with_its_details():
    server = MadeUpServer(refused("out_of_stock", **CATALOGUE["out_of_stock"].example))
    with client_of(server) as shop, pytest.raises(problems.OutOfStock) as raised:
        shop.orders.place(ITEMS)
    assert raised.value.body["shortages"] == [{"book_id": "book-456", "requested": 1, "available": 0}]
    assert raised.value.status == 409 and "Lower each quantity" in raised.value.advice
    assert str(raised.value) == "Fewer copies are available than were asked for. (out_of_stock)"
    classes = {each.code for each in Problem.__subclasses__()}
    assert classes == CATALOGUE.keys() - {"error"}


def test_the_errors_of_fields_are_read():
    server = MadeUpServer(
        refused("invalid", errors=[{"field": "items.0.quantity", "code": "min_value", "detail": "1"}])
    )
    with client_of(server) as shop, pytest.raises(problems.Invalid) as raised:
        shop.orders.place(ITEMS)
    (error,) = raised.value.errors
    assert (error.field, error.code) == ("items.0.quantity", "min_value")


def test_a_problem_of_a_later_version_is_a_problem():
    server = MadeUpServer(httpx.Response(409, json={"code": "moon_is_full", "detail": "Wait."}))
    with client_of(server) as shop, pytest.raises(Problem) as raised:
        shop.orders.place(ITEMS)
    assert (raised.value.code, type(raised.value)) == ("moon_is_full", Problem)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(404, text="<html>Not found</html>"),
        httpx.Response(302, headers={"Location": "https://elsewhere.example.com"}),
        httpx.Response(200, text="<html>Sign in</html>"),
        httpx.Response(200, json=["not", "an", "order"]),
        httpx.Response(200, json={"order_id": "1"}),
        httpx.Response(404, json={"message": "no such route"}),
    ],
)
def test_a_response_of_something_else_is_an_error(response):
    with client_of(MadeUpServer(response)) as shop, pytest.raises(UnexpectedResponse):
        shop.orders.get(PLACED["order_id"])


# --- Responses ----------------------------------------------------------------------------------------


def test_responses_are_dataclasses_that_ignore_what_they_do_not_know():
    server = MadeUpServer(httpx.Response(200, json={**ORDER_WITH_PARCEL, "status": "teleported", "colour": "red"}))
    with client_of(server) as shop:
        order = shop.orders.get(PLACED["order_id"])
    assert order.status == "teleported" and order.items[0].line_total == ORDER_WITH_PARCEL["items"][0]["line_total"]
    assert order.created_at.tzinfo and order.parcel and order.parcel.carrier == ORDER_WITH_PARCEL["parcel"]["carrier"]


def test_the_token_goes_to_the_shop_only_also_when_a_page_links_elsewhere():
    pages = [
        {"results": [ORDER_WITH_PARCEL], "next": "http://evil.example.com/orders?cursor=abc&page_size=1"},
        {"results": [ORDER_WITH_PARCEL], "next": None},
    ]
    server = MadeUpServer(*(httpx.Response(200, json=page) for page in pages))
    with client_of(server) as shop:
        assert len(list(shop.orders.list(page_size=1, status="completed"))) == 2
    first, second = server.requests
    assert first.headers["Authorization"] == "Bearer token-1" and dict(first.url.params)["status"] == "completed"
    assert str(second.url) == "https://shop.example.com/orders?cursor=abc&page_size=1"


def test_a_list_asks_for_pages_as_they_are_needed():
    server = MadeUpServer(httpx.Response(200, json={"results": [ORDER_WITH_PARCEL], "next": "https://x/?cursor=abc"}))
    with client_of(server) as shop:
        assert next(shop.orders.list()).order_id == PLACED["order_id"]


@pytest.fixture
def hours():
    """A clock that only sleep moves, and what was slept."""

    class Clock:
        now, slept = 0.0, []

        def sleep(self, seconds):
            self.slept.append(seconds)
            self.now += seconds

    return Clock()


def waiting_orders(server, clock):
    http = httpx.Client(base_url="https://shop.example.com", transport=httpx.MockTransport(server))
    return Orders(Transport(http, AT_ONCE), clock.sleep, lambda: clock.now)


def test_an_order_is_waited_for_also_if_the_server_does_not_wait(hours):
    pending = httpx.Response(200, json={**ORDER_WITH_PARCEL, "status": "pending"})
    server = MadeUpServer(pending, pending, httpx.Response(200, json=ORDER_WITH_PARCEL))
    order = waiting_orders(server, hours).wait_until_finished(PLACED["order_id"], timeout=15)
    assert order.status == ORDER_WITH_PARCEL["status"] and hours.slept == [1, 1]
    assert [request.url.params["wait"] for request in server.requests] == ["10", "10", "10"]


def test_an_order_that_does_not_finish_is_waited_for_as_long_as_told(hours):
    server = MadeUpServer(*[httpx.Response(200, json={**ORDER_WITH_PARCEL, "status": "pending"})] * 5)
    with pytest.raises(NotFinished, match=r"still pending after 2\.5 seconds"):
        waiting_orders(server, hours).wait_until_finished(PLACED["order_id"], timeout=2.5)
    assert hours.now == 2.5


# --- Webhooks -----------------------------------------------------------------------------------------

SECRET, OTHER_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def signed(body, secret=SECRET, at=None):
    at = at or datetime.now(UTC)
    signature = Webhook(secret).sign("event-1", at, body)
    return {
        "Webhook-Id": "event-1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": f"v1,bm90IHRoaXMgb25l {signature}",
    }


@pytest.mark.parametrize("event_type", EventType)
def test_every_event_is_read_with_its_data(event_type):
    example = example_of(event_type)
    body = json.dumps(example)
    event = verify(body.encode(), signed(body), [OTHER_SECRET, SECRET])
    assert type(event) is EVENTS[event_type] and event.id == example["id"]
    assert event.time.isoformat() and vars(type(event.data))


def test_what_the_data_of_an_order_says_is_typed():
    event = event_in(example_of(EventType.ORDER_COMPLETED))
    assert isinstance(event, OrderCompletedEvent)
    assert (
        event.data.total == 3850 and event.data.lines[0].book_id == "book-123" and event.data.payment.charged == 3850
    )


def test_an_event_of_a_later_version_is_read():
    later = {**example_of(EventType.STOCK_LOW), "type": "book.translated", "data": {"language": "ja"}}
    event = event_in(later)
    assert isinstance(event, OtherEvent) and event.data == {"language": "ja"}


BODY = json.dumps({"type": "test"})


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, {}),
        (BODY, signed(BODY, OTHER_SECRET)),
        (BODY + " ", signed(BODY)),
        (BODY, signed(BODY, at=datetime.now(UTC) - timedelta(minutes=6))),
        (BODY, {**signed(BODY), "Webhook-Signature": "garbage"}),
        (BODY, signed(BODY)),
        ("[]", signed("[]")),
        ("no json", signed("no json")),
    ],
)
def test_a_webhook_that_is_not_signed_or_no_event_is_invalid(body, headers):
    with pytest.raises(InvalidWebhook):
        verify(body.encode(), headers, SECRET)


def test_a_secret_is_read_and_stays_out_of_logs():
    with client_of(MadeUpServer(httpx.Response(201, json=WITH_SECRET_EXAMPLE))) as shop:
        endpoint = shop.webhook_endpoints.register(WITH_SECRET_EXAMPLE["url"])
    assert endpoint.secret == WITH_SECRET_EXAMPLE["secret"] and endpoint.secret not in repr(endpoint)


# --- The package --------------------------------------------------------------------------------------


def test_the_generated_files_are_current():
    command = [sys.executable, CLIENT / "generate.py", "--check"]
    result = subprocess.run(command, input=document(), capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()


def test_the_client_needs_nothing_of_the_shop(tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(CLIENT / "src")!r})
import cloudmart_client.webhooks
ours = {{"cloudmart", "orders", "inventory", "payments", "shipping", "sagas", "django", "rest_framework"}}
assert not ours & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-I", "-c", script], cwd=tmp_path, check=True)
