"""The HTTP adapters against a sandbox in a process of its own: the outcome and the ledger entries of each fault."""

import signal
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from threading import Thread
from time import monotonic

import httpcore
import httpx
import pytest

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.providers.http_provider import ProviderMisused
from cloudmart.providers.magic import DECLINED, Refusal
from cloudmart.providers.mock import refused
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, ProviderUnavailable, Refused, Unknown
from cloudmart.sandbox import ledger as ledger_file
from cloudmart.sandbox.knobs import Knobs
from cloudmart.sandbox.ledger import entries_in, live
from cloudmart.sandbox.server import Sandbox
from payments.errors import PaymentDeclined
from payments.gateways.http import HttpGateway
from shipping.carriers.http import HttpCarrier
from shipping.errors import ShippingFailed
from tests.integration.test_races import all_at_once
from tests.processes import TIMEOUT, listens
from tests.raw_server import raw_server, response
from tests.sandbox import run_sandbox

pytestmark = pytest.mark.any_database

ORDER = new_id()
TOKYO = Address("150-0001", "東京都渋谷区神宮前1-2-3")


@contextmanager
def asking(adapter):
    """An adapter with the current settings."""
    provider = adapter()
    with closing(provider.client):
        yield provider


@pytest.fixture
def gateway(outside):
    with asking(HttpGateway) as gateway:
        yield gateway


@pytest.fixture
def carrier(outside):
    with asking(HttpCarrier) as carrier:
        yield carrier


@pytest.fixture
def hasty(outside, gateway, settings):
    """The same gateway with a short read timeout."""
    settings.PROVIDER_READ_TIMEOUT = 0.1
    with asking(HttpGateway) as hasty:
        yield hasty


@pytest.fixture
def key():
    return f"charge-{new_id()}"


@pytest.fixture
def entered(outside):
    """What the sandbox has done under a charge's or parcel's key."""
    return lambda key: [(entry.kind, entry.amount) for entry in entries_in(outside.ledger, key=key)]


def charge(gateway, key, amount=1100, token="", order_id=ORDER):
    body = {"order_id": order_id, "customer_id": "customer-001", "currency": "JPY", "method": "credit_card"}
    return gateway.charge(key, amount=amount, token=token, **body)


def arrange(carrier, key, address=TOKYO):
    return carrier.arrange(key, order_id=ORDER, address=address)


def sure(lookup):
    """Returns the outcome of a lookup once it is certain, however long the sandbox takes."""
    deadline = monotonic() + TIMEOUT
    while monotonic() < deadline:
        with suppress(OutcomeUnknown):
            if not isinstance(outcome := lookup(), Unknown):
                return outcome
    raise AssertionError("no certain response came")


def until_running(gateway, key):
    """Returns when the sandbox is processing this key."""
    deadline = monotonic() + TIMEOUT
    with pytest.raises(OutcomeUnknown, match="409"):
        while monotonic() < deadline:
            gateway.lookup(key)


def is_refused_for(outcome, key, reason):
    """Returns True if the outcome is a refusal for this reason, as PROVIDER_TEXTS words it for this key."""
    as_said = refused(type(outcome.error), Refusal(reason, ""), key)
    return outcome.error.details == as_said.error.details


def test_a_charge_is_made_once_and_its_outcome_repeated(gateway, key, entered, outside):
    done = charge(gateway, key)
    assert isinstance(done, Accepted)
    assert charge(gateway, key) == gateway.lookup(key) == done
    (entry,) = entries_in(outside.ledger, key=key)
    assert (entry.reference, entry.amount, entry.order_id) == (done.reference, 1100, str(ORDER))


def test_a_refusal_and_its_reason_are_repeated(gateway, carrier, key):
    declined = charge(gateway, key, token="tok_expired_card")
    assert isinstance(declined, Refused) and isinstance(declined.error, PaymentDeclined)
    as_said = refused(PaymentDeclined, DECLINED["tok_expired_card"], key)
    assert declined.error.as_json() == as_said.error.as_json()
    assert gateway.lookup(key).error.as_json() == declined.error.as_json()
    not_served = arrange(carrier, key, Address("000-0000"))
    assert isinstance(not_served.error, ShippingFailed) and is_refused_for(not_served, key, "not_served")


def test_the_carrier_receives_the_country(carrier, key):
    """Two requests with the same key that differ only in the country are different requests."""
    arrange(carrier, key, Address("10115", "Hauptstraße 1", "DE"))
    with pytest.raises(ProviderMisused, match="key_reused"):
        arrange(carrier, key, Address("10115", "Hauptstraße 1", "FR"))


def test_no_more_is_refunded_than_was_charged(gateway, key, entered):
    transaction = charge(gateway, key).reference or key
    assert isinstance(gateway.refund("r1" + key, transaction_id=transaction, amount=1000), Accepted)
    too_much = gateway.refund("r2" + key, transaction_id=transaction, amount=101)
    assert is_refused_for(too_much, "r2" + key, "refund_exceeds_payment")
    assert entered(key) == [("charge", 1100), ("refund", -1000)]


def test_a_cancelled_request_is_undone_and_refused_from_then_on(gateway, carrier, key, entered):
    charge(gateway, key)
    assert isinstance(gateway.cancel(f"{key}:cancel", charge_key=key), Accepted)
    assert isinstance(gateway.lookup(f"{key}:cancel"), Accepted)
    assert is_refused_for(charge(gateway, key), key, "dropped")
    assert entered(key) == [("charge", 1100), ("void", -1100)]
    arrange(carrier, f"a{key}")
    assert isinstance(carrier.cancel(f"a{key}:cancel", arrange_key=f"a{key}"), Accepted)
    assert is_refused_for(arrange(carrier, f"a{key}"), f"a{key}", "called_off")
    assert entered(f"a{key}") == [("parcel", 1), ("call_off", -1)]


def test_a_request_that_is_cancelled_before_it_arrives_is_refused(gateway, carrier, key, entered):
    assert isinstance(gateway.cancel(f"{key}:cancel", charge_key=key), Accepted)
    assert isinstance(carrier.cancel(f"{key}:cancel", arrange_key=key), Accepted)
    assert isinstance(charge(gateway, key), Refused) and isinstance(arrange(carrier, key), Refused)
    assert entered(key) == []


@pytest.mark.parametrize(
    ("fault", "means", "seen", "is_done"),
    [
        ("unavailable", ProviderUnavailable, "HTTP 503, not taken", False),
        ("drop_before", OutcomeUnknown, "RemoteProtocolError", False),
        ("drop_after", OutcomeUnknown, "RemoteProtocolError", True),
        ("error_after", OutcomeUnknown, "HTTP 500", True),
    ],
)
def test_each_fault_has_its_own_error(gateway, carrier, key, entered, outside, fault, means, seen, is_done):
    outside.turn("payments", **{fault: 1})
    outside.turn("carrier", **{fault: 1})
    parcel = f"arrange-{key}"
    with pytest.raises(means, match=seen):
        charge(gateway, key)
    with pytest.raises(means, match=seen):
        arrange(carrier, parcel)
    assert entered(key) == [("charge", 1100)] * is_done and entered(parcel) == [("parcel", 1)] * is_done
    assert isinstance(gateway.lookup(key), Accepted if is_done else Unknown)
    assert isinstance(carrier.lookup(parcel), Accepted if is_done else Unknown)
    assert isinstance(charge(gateway, key), Accepted) and isinstance(arrange(carrier, parcel), Accepted)
    assert entered(key) == [("charge", 1100)] and entered(parcel) == [("parcel", 1)]


def test_a_lookup_may_fail_too(gateway, key, outside):
    charge(gateway, key)
    outside.turn("payments", unavailable=1, drop_after=1)
    with pytest.raises(ProviderUnavailable):
        gateway.lookup(key)
    with pytest.raises(OutcomeUnknown):
        gateway.lookup(key)
    assert isinstance(gateway.lookup(key), Accepted)


def test_a_request_that_timed_out_is_still_in_progress(hasty, gateway, key, entered, outside):
    outside.turn("payments", latency=TIMEOUT * 1000)
    with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        charge(hasty, key)
    for ask in (lambda: charge(gateway, key), lambda: gateway.lookup(key)):
        with pytest.raises(OutcomeUnknown, match="409"):
            ask()
    assert entered(key) == []


def test_a_request_that_timed_out_may_be_accepted_later(hasty, gateway, key, entered, outside):
    outside.turn("payments", latency=500)
    with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        charge(hasty, key)
    assert isinstance(sure(lambda: gateway.lookup(key)), Accepted)
    assert entered(key) == [("charge", 1100)]


def test_a_request_that_timed_out_is_refused_if_the_charge_is_voided_meanwhile(hasty, gateway, key, entered, outside):
    outside.turn("payments", latency=500)
    with pytest.raises(OutcomeUnknown):
        charge(hasty, key)
    outside.turn("payments")
    assert isinstance(gateway.cancel(f"{key}:cancel", charge_key=key), Accepted)
    assert isinstance(sure(lambda: gateway.lookup(key)), Refused)
    assert live(entries_in(outside.ledger, key=key)) == {}


def test_a_key_is_not_used_for_another_request(gateway, key, entered):
    done = charge(gateway, key)
    with pytest.raises(ProviderMisused, match="key_reused"):
        charge(gateway, key, amount=999)
    assert gateway.lookup(key) == done and entered(key) == [("charge", 1100)]


def test_a_malformed_request_is_not_a_decline(gateway, key, entered):
    with pytest.raises(ProviderMisused, match="400"):
        charge(gateway, key, amount=0)
    assert entered(key) == []


def test_sixteen_concurrent_requests_are_one_charge(gateway, key, entered, outside):
    outside.turn("payments", latency=50, duplicate=4)
    responses = all_at_once([lambda: charge(gateway, key)] * 16)
    done = sure(lambda: gateway.lookup(key))
    assert isinstance(done, Accepted) and entered(key) == [("charge", 1100)]
    assert all(each == done or isinstance(each, OutcomeUnknown) for each in responses)


def test_a_duplicated_request_is_carried_out_once(gateway, outside):
    keys = [f"charge-{new_id()}" for _ in range(10)]
    outside.turn("payments", latency=5, duplicate=len(keys))
    order = new_id()
    for key in keys:
        with suppress(OutcomeUnknown):
            charge(gateway, key, order_id=order)
    assert all(isinstance(sure(lambda key=key: gateway.lookup(key)), Accepted) for key in keys)
    assert sorted(entry.key for entry in entries_in(outside.ledger, order_id=order)) == keys


@pytest.fixture
def empty_sandbox(tmp_path, settings):
    """A sandbox in this process with an empty ledger."""
    sandbox = Sandbox(("127.0.0.1", 0), tmp_path / "ledger.sqlite3", Knobs(), Knobs())
    Thread(target=sandbox.serve_forever, args=[0.01]).start()
    settings.PAYMENT_GATEWAY_URL = f"http://127.0.0.1:{sandbox.server_port}/payments"
    settings.CARRIER_URL = f"http://127.0.0.1:{sandbox.server_port}/carrier"
    yield sandbox
    sandbox.shutdown()
    sandbox.server_close()


def test_every_page_of_a_ledger_is_read(empty_sandbox, monkeypatch):
    monkeypatch.setattr(ledger_file, "PAGE", 2)
    keys = [f"a key & {number}" for number in range(5)]
    with asking(HttpGateway) as gateway, asking(HttpCarrier) as carrier:
        assert gateway.ledger() == {}
        for key in keys:
            charge(gateway, key)
        gateway.cancel("void", charge_key=keys[1])
        assert gateway.ledger() == {key: 1100 for key in keys if key != keys[1]}
        assert carrier.ledger() == {}


def test_a_full_page_of_a_ledger_is_within_the_response_limit(empty_sandbox):
    keys = [f"{number:064}" for number in range(ledger_file.PAGE + 1)]
    with empty_sandbox.ledger.transaction("payments") as page:
        for key in keys:
            page.enter("charge", key, key, key, "order", 2**62)
    with asking(HttpGateway) as gateway:
        assert gateway.ledger() == dict.fromkeys(keys, 2**62)


def test_a_request_is_carried_out_though_its_sender_has_died(gateway, key, entered, outside):
    body = b'{"order_id": "order-1", "amount": 1100, "currency": "JPY", "method": "credit_card", "token": ""}'
    head = f"POST /payments/charges HTTP/1.1\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    outside.turn("payments", latency=100)
    with socket.create_connection(("127.0.0.1", outside.port)) as sender:
        sender.sendall(head.encode() + body)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # hangs up as the killed do
    assert isinstance(sure(lambda: gateway.lookup(key)), Accepted)
    assert entered(key) == [("charge", 1100)]


def test_a_refused_connection_means_unavailable(settings, key):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings.PAYMENT_GATEWAY_URL = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with asking(HttpGateway) as gateway, pytest.raises(ProviderUnavailable, match="ConnectError"):
            charge(gateway, key)


def test_a_connection_timeout_means_unavailable(settings, key):
    settings.PROVIDER_CONNECT_TIMEOUT = 0.2
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as queue:
        for _ in range(2):  # more than the queue holds
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        settings.PAYMENT_GATEWAY_URL = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with asking(HttpGateway) as gateway, pytest.raises(ProviderUnavailable, match="ConnectTimeout"):
            charge(gateway, key)


def test_an_invalid_url_is_an_error(settings, key):
    settings.PAYMENT_GATEWAY_URL = "127.0.0.1:8001"
    with asking(HttpGateway) as gateway, pytest.raises(httpcore.UnsupportedProtocol):
        charge(gateway, key)


def test_no_proxy_is_used(monkeypatch, outside, key):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with asking(HttpGateway) as gateway:
        assert isinstance(charge(gateway, key), Accepted)


@pytest.mark.parametrize(
    ("status", "content", "means"),
    [
        (200, "<html>Welcome to the hotel's network</html>", OutcomeUnknown),
        (200, "{}", OutcomeUnknown),
        (200, '{"reference": 7}', OutcomeUnknown),
        (200, "\x00", OutcomeUnknown),
        (200, "[" * 60_000, OutcomeUnknown),
        (302, "", OutcomeUnknown),
        (402, "", OutcomeUnknown),
        (408, "", OutcomeUnknown),
        (429, "", OutcomeUnknown),
        (500, '{"code": "not_taken"}', OutcomeUnknown),
        (502, "", OutcomeUnknown),
        (503, "<html>Service unavailable</html>", OutcomeUnknown),
        (503, '{"code": "not_taken"}', ProviderUnavailable),
        (504, "", OutcomeUnknown),
        (400, "", ProviderMisused),
        (401, "", ProviderMisused),
        (404, "", ProviderMisused),
        (422, '{"code": "key_reused"}', ProviderMisused),
    ],
)
def test_every_http_response_has_a_meaning(settings, key, status, content, means):
    with raw_server(lambda: [response(content.encode(), status)]) as server:
        settings.PAYMENT_GATEWAY_URL = server.url
        with asking(HttpGateway) as gateway, pytest.raises(means):
            charge(gateway, key)


def test_a_killed_sandbox_has_stored_what_it_did_and_nothing_else(settings, tmp_path, key):
    done, undone = f"{key}-done", f"{key}-undone"
    ledger = tmp_path / "ledger.sqlite3"
    with run_sandbox(ledger) as sandbox:
        settings.PAYMENT_GATEWAY_URL = f"{sandbox.url}/payments"
        with asking(HttpGateway) as gateway:
            sandbox.turn("payments", drop_after=1)
            with pytest.raises(OutcomeUnknown):
                charge(gateway, done)
            sandbox.turn("payments", latency=TIMEOUT * 1000)
            with ThreadPoolExecutor() as threads, pytest.raises(OutcomeUnknown):
                dying = threads.submit(charge, gateway, undone)
                until_running(gateway, undone)
                sandbox.kill()
                dying.result()
    (entry,) = entries_in(ledger)
    assert entry.key == done
    with run_sandbox(ledger, port=sandbox.port), asking(HttpGateway) as gateway:
        assert isinstance(gateway.lookup(undone), Unknown)
        assert charge(gateway, done) == gateway.lookup(done) == Accepted(entry.reference)
        assert isinstance(charge(gateway, undone), Accepted)
    assert [entry.key for entry in entries_in(ledger)] == [done, undone]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_sandbox_stops_on_a_signal(tmp_path, how):
    ledger = tmp_path / "ledger.sqlite3"
    with run_sandbox(ledger) as sandbox:
        sandbox.process.send_signal(how)
        assert sandbox.process.wait(timeout=TIMEOUT) == 0
        assert not listens(sandbox.port)
        assert [path.name for path in tmp_path.iterdir()] == [ledger.name], "nothing is left to be recovered"


def test_the_ledger_and_the_knobs_are_read_over_http(gateway, carrier, key, outside):
    order = new_id()
    charge(gateway, key, order_id=order)
    gateway.refund(f"refund-{key}", transaction_id=gateway.lookup(key).reference or key, amount=100)
    ledger = httpx.get(f"{outside.url}/ledger", params={"order_id": str(order)}).json()
    assert ledger["live"] == [{"provider": "payments", "order_id": str(order), "key": key, "left": 1000}]
    assert [entry["kind"] for entry in ledger["entries"]] == ["charge", "refund"]
    assert httpx.get(f"{outside.url}/ledger", params={"key": "unheard of"}).json() == {"live": [], "entries": []}
    outside.turn("carrier", error_after=0.5, latency=3)
    knobs = httpx.get(f"{outside.url}/knobs").json()
    assert {name: value for name, value in knobs["carrier"].items() if value} == {"error_after": 0.5, "latency": 3}
    assert not any(knobs["payments"].values())


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/knobs/payments", {"latence": 3}, 400),
        ("PUT", "/knobs/payments", {"latency": -3}, 400),
        ("PUT", "/knobs/nobody", {}, 404),
        ("GET", "/ledger?color=red", None, 400),
        ("GET", "/nothing", None, 404),
        ("POST", "/payments/parcels", {}, 404),
        ("POST", "/payments/voids", {"charge_key": "key"}, 400),
    ],
)
def test_the_sandbox_refuses_unknown_and_malformed_requests(outside, method, path, body, status):
    assert httpx.request(method, f"{outside.url}{path}", json=body).status_code == status
