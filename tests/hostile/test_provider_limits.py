"""A response that is endless or too slow ends at a call's deadline or size limit."""

import gzip
import socket
import tracemalloc
from contextlib import ExitStack, closing
from itertools import chain, repeat

import pytest

from cloudmart.kernel.ids import new_id
from cloudmart.providers.http_provider import MAX_RESPONSE
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, ProviderUnavailable
from orders.models import SagaStyle
from payments.gateways.http import HttpGateway
from payments.gateways.port import gateway as shop_gateway
from tests.conftest import HTTP_GATEWAY
from tests.known_bugs import known_bug
from tests.processes import TIMEOUT
from tests.raw_server import raw_server, response

pytestmark = pytest.mark.any_database

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DONE = response(b'{"reference": "charge_1"}')
HUGE = 400_000_000
BUFFERS = 40_000_000
"""More bytes than the kernel's buffers take on the way from one socket to another."""
MEMORY = 1_000_000


def a_byte_at_a_time(text: bytes):
    return (text[place : place + 1] for place in range(len(text)))


DRIPS = {
    "status line": lambda: a_byte_at_a_time(b"HTTP/1.1 200 " + b"O" * 500),
    "headers": lambda: a_byte_at_a_time(HEAD + b"X: " + b"y" * 500),
    "interim responses": lambda: chain(repeat(b"HTTP/1.1 100 Continue\r\n\r\n", 500), [DONE]),
    "body": lambda: chain([HEAD + b"Content-Length: 500\r\n\r\n"], repeat(b" ", 500)),
    "chunks": lambda: chain([HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], repeat(b"1\r\n \r\n", 500)),
}


def endless(head: bytes, piece: bytes):
    return lambda: chain([head], repeat(piece, HUGE // len(piece)))


FLOODS = {
    "announced": endless(HEAD + b"Content-Length: %d\r\n\r\n" % HUGE, b" " * 65536),
    "until it closes": endless(HEAD + b"\r\n", b" " * 65536),
    "chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "headers": endless(HEAD, b"X: " + b"y" * 60_000 + b"\r\n"),
    "a header": endless(HEAD + b"X: ", b"y" * 65536),
    "interim responses": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
}


@pytest.fixture
def gateway_at(settings):
    """A gateway at this URL, as the settings are now."""
    with ExitStack() as clients:

        def gateway_at(url):
            settings.PAYMENT_GATEWAY_URL = url
            gateway = HttpGateway()
            clients.enter_context(closing(gateway.client))
            return gateway

        yield gateway_at


def charge(gateway):
    return gateway.charge(
        f"charge-{new_id()}",
        order_id=new_id(),
        customer_id="customer-001",
        amount=1100,
        currency="JPY",
        method="e_money",
        token="",
    )


@pytest.fixture
def short_deadline(settings):
    """What keeps a call from going on is its deadline, and not the timeout of a read."""
    settings.PROVIDER_READ_TIMEOUT, settings.PROVIDER_DEADLINE = TIMEOUT, 0.3


@known_bug("httpx#1450")
@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_a_slow_byte_stream_ends_at_the_deadline(gateway_at, short_deadline, drip):
    with raw_server(drip, pause=0.1) as server:
        with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
            charge(gateway_at(server.url))
        assert server.client_disconnected.wait(TIMEOUT), "the server could say all that it wanted"


def test_a_read_ends_at_the_deadline_too(gateway_at, short_deadline):
    with raw_server(lambda: [DONE], pause=TIMEOUT) as server:
        with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
            charge(gateway_at(server.url))
        assert server.client_disconnected.wait(TIMEOUT)


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_an_endless_response_is_refused(gateway_at, flood):
    with raw_server(flood) as server:
        gateway = gateway_at(server.url)
        tracemalloc.start()
        try:
            with pytest.raises(OutcomeUnknown, match="ResponseTooLarge"):
                charge(gateway)
            assert tracemalloc.get_traced_memory()[1] < MEMORY
        finally:
            tracemalloc.stop()
        assert server.client_disconnected.wait(TIMEOUT) and server.sent < BUFFERS


@known_bug("HTTP.jl#1178")
def test_a_compressed_response_is_not_decompressed(gateway_at):
    bomb = gzip.compress(b'{"reference": "' + b"x" * 50_000_000 + b'"}')
    assert len(bomb) < MAX_RESPONSE
    with raw_server(lambda: [response(bomb, encoding="gzip")]) as server:
        gateway = gateway_at(server.url)
        tracemalloc.start()
        try:
            with pytest.raises(OutcomeUnknown, match="compressed"):
                charge(gateway)
            assert tracemalloc.get_traced_memory()[1] < MEMORY
        finally:
            tracemalloc.stop()
        assert b"Accept-Encoding: identity" in server.requests[0]


@pytest.mark.parametrize("status", [200, 402, 422])
def test_a_compressed_response_leaves_the_outcome_unknown(gateway_at, status):
    content = gzip.compress(b'{"reference": "charge_1", "code": "x", "detail": "y"}')
    with (
        raw_server(lambda: [response(content, status, encoding="GZip")]) as server,
        pytest.raises(OutcomeUnknown),
    ):
        charge(gateway_at(server.url))


def test_each_call_has_its_own_limits_on_a_shared_connection(gateway_at):
    large = response(b'{"reference": "charge_1"}' + b" " * 40_000)
    with raw_server(lambda: [large]) as server:
        gateway = gateway_at(server.url)
        assert [charge(gateway) for _ in range(5)] == [Accepted("charge_1")] * 5
        assert server.connections == 1


def test_a_connection_is_not_reused_after_a_timeout(gateway_at, short_deadline):
    drips = iter([repeat(b"H", 500), [DONE]])
    with raw_server(lambda: next(drips), pause=0.1) as server:
        gateway = gateway_at(server.url)
        with pytest.raises(OutcomeUnknown):
            charge(gateway)
        assert charge(gateway) == Accepted("charge_1")
        assert server.connections == 2


@pytest.fixture
def resolve(monkeypatch):
    """Has the system's resolver know a host."""
    real = socket.getaddrinfo

    def resolve(known, addresses):
        def getaddrinfo(host, port, *rest, **more):
            found = addresses if host == known else [host]
            return [entry for address in found for entry in real(address, port, *rest, **more)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve


def test_all_addresses_of_a_host_share_one_deadline(gateway_at, settings, resolve):
    settings.PROVIDER_CONNECT_TIMEOUT, settings.PROVIDER_DEADLINE = 0.2, 0.5
    resolve("provider.test", ["127.0.0.1"] * 1000)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as queue:
        for _ in range(2):  # more than the queue holds
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        with pytest.raises(ProviderUnavailable, match="ConnectTimeout: the deadline"):
            charge(gateway_at(f"http://provider.test:{deaf.getsockname()[1]}"))


def test_the_next_address_is_tried_if_one_does_not_accept(gateway_at, resolve):
    resolve("provider.test", ["127.0.0.2", "127.0.0.1"])
    with raw_server(lambda: [DONE]) as server:
        gateway = gateway_at(server.url.replace("127.0.0.1", "provider.test"))
        assert charge(gateway) == Accepted("charge_1")


def test_a_host_without_an_address_is_unavailable(gateway_at, resolve):
    resolve("provider.test", [])
    with pytest.raises(ProviderUnavailable, match="no address"):
        charge(gateway_at("http://provider.test"))


@pytest.mark.parametrize("style", SagaStyle.values)
def test_an_order_waits_for_a_gateway_that_exceeds_its_limits(api, shelve, settings, short_deadline, style):
    shelve("book-123", 1)
    settings.PROVIDER_TRIES = 1
    order = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "e_money"}
    with raw_server(DRIPS["body"], pause=0.1) as server:
        settings.PAYMENT_GATEWAY, settings.PAYMENT_GATEWAY_URL = HTTP_GATEWAY, server.url
        with closing(shop_gateway().client):
            placed = api.post("/orders", {**order, "saga": style})
        assert placed.status_code == 202 and placed.json()["status"] == "pending"
        assert len(server.requests) == 2, "the charge, and the look-up"
        assert server.client_disconnected.wait(TIMEOUT)
