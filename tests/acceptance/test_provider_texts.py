"""Providers whose references and refusals are longer, emptier or odder than our columns allow."""

from datetime import timedelta
from threading import Thread

import pytest
from django.core.management import call_command

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.text import storable
from cloudmart.providers.odd_texts import WAYS
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, ProviderUnavailable, Refused, Unknown
from cloudmart.sandbox.knobs import Knobs
from cloudmart.sandbox.server import Sandbox
from orders.models import Order
from payments.errors import PaymentDeclined
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Payment, Refund
from sagas.desk.mails import send_mails
from sagas.models import SagaInstance
from shipping.carriers.mock import MockCarrier
from shipping.carriers.port import carrier
from shipping.errors import ShippingFailed
from shipping.models import Shipment
from tests.acceptance.conftest import decline_of, end_of
from tests.bookkeeping import findings
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.known_bugs import known_bug

UNDONE = ("cancelled", 0, 0, [("book-123", 3, 0)])
BOUGHT = ("completed", 1100, 1, [("book-123", 2, 0)])
LONG = "The card was declined because its issuer says so: \0" + "no " * 96
ODD = "👩🏽‍🚀 e\u0301 \u202eעברית\x1b[31m\ud800"
SENTENCES = {"long": LONG.ljust(338, "!"), "empty": "", "odd": ODD, "NUL": "\0"}
CODES = {"long": "c" * 65, "longer": "c" * 338, "empty": "", "odd": ODD}
REFERENCES = {"empty": "", "65": "r" * 65, "255": "r" * 255, "300": "r" * 300, "odd": ODD, "NUL": "\0" * 300}


def named(texts):
    return pytest.mark.parametrize("text", texts.values(), ids=texts.keys())


def returning(outcome):
    return lambda self, key, **body: outcome


def raises(error):
    def call(self, key, **body):
        raise error

    return call


@pytest.fixture(autouse=True)
def three_copies(shelve, settings):
    settings.AUDIT_GRACE = timedelta(0)
    shelve("book-123", 3)


def assert_ends(order_id, end):
    """Asserts that the order has ended so, and that the audit finds nothing."""
    assert end_of(order_id) == end
    send_mails()
    assert findings() == {}


@known_bug("saleor PR#10392")
@named(SENTENCES)
def test_a_decline_with_any_text_fails_the_order(place, status_of, monkeypatch, text):
    refusal = Refused(PaymentDeclined(text, reason="declined"))
    monkeypatch.setattr(MockGateway, "charge", returning(refusal))
    response = place(("book-123", 1))
    problem = response.json()
    said = storable(text, 200) or "The payment was declined."
    assert (response.status_code, problem["code"], problem["detail"]) == (402, "payment_declined", said)
    assert_ends(problem["order_id"], UNDONE)
    assert status_of(problem["order_id"])["status"] == "FAILED"
    assert Order.objects.get().cancel_reason == said


@named(CODES)
def test_a_decline_with_any_code_fails_the_order(place, monkeypatch, text):
    monkeypatch.setattr(MockGateway, "charge", returning(Refused(PaymentDeclined("No.", reason=text))))
    problem = place(("book-123", 1)).json()
    assert problem["reason"] == Payment.objects.get().failure == (storable(text, 64) or "payment_declined")
    assert_ends(problem["order_id"], UNDONE)


@named(SENTENCES)
def test_a_carriers_refusal_with_any_text_fails_the_order(place, monkeypatch, text):
    monkeypatch.setattr(MockCarrier, "arrange", returning(Refused(ShippingFailed(text, reason=text))))
    problem = place(("book-123", 1)).json()
    assert problem["detail"] == (storable(text, 200) or "The delivery could not be arranged.")
    assert problem["reason"] == Shipment.objects.get().failure == (storable(text, 64) or "shipping_failed")
    assert_ends(problem["order_id"], UNDONE)


@known_bug("SellYourSaas#217")
@named(REFERENCES)
def test_an_order_completes_and_is_refunded_with_any_references(place, api, monkeypatch, text):
    for provider, method in [(MockGateway, "charge"), (MockGateway, "refund"), (MockCarrier, "arrange")]:
        monkeypatch.setattr(provider, method, returning(Accepted(text)))
    response = place(("book-123", 1))
    assert response.status_code == 201
    order_id = response.json()["order_id"]
    assert_ends(order_id, BOUGHT)
    payment, parcel = Payment.objects.get(), Shipment.objects.get()
    assert payment.transaction_id == (storable(text, 255) or payment.idempotency_key)
    assert parcel.tracking_number == (storable(text, 255) or parcel.idempotency_key)

    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert_ends(order_id, UNDONE)
    assert Refund.objects.get().transaction_id == storable(text, 255)


@named(SENTENCES)
@pytest.mark.parametrize("error", [OutcomeUnknown, ProviderUnavailable])
def test_an_order_waits_and_continues_after_failures_with_any_text(place, monkeypatch, settings, text, error):
    settings.ATTENTION_AFTER = 1
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raises(OutcomeUnknown(text)))
        down.setattr(MockGateway, "lookup", returning(Unknown(text)))
        response = place(("book-123", 1))
    assert response.status_code == 202 and SagaInstance.objects.get().attention
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", raises(error(text)))
        down.setattr(MockGateway, "lookup", raises(error(text)))
        work()
    work()
    assert_ends(response.json()["order_id"], BOUGHT)


@named(SENTENCES)
def test_an_order_whose_refund_is_refused_waits_and_fails(place, monkeypatch, settings, text):
    settings.ATTENTION_AFTER = 1
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", returning(Refused(PaymentDeclined(text, reason=text))))
        response = place(("book-123", 1), shipping_address="000-0000")
    assert response.status_code == 202 and SagaInstance.objects.get().attention
    work()
    assert_ends(response.json()["order_id"], UNDONE)


def test_an_order_with_an_overlong_stored_failure_fails(place, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", raises(ProviderUnavailable("down")))
        response = place(("book-123", 1), shipping_address="000-0000")
    failure = {**SagaInstance.objects.get().failure, "detail": SENTENCES["long"]}
    SagaInstance.objects.update(failure=failure)
    assert Order.objects.get().status == "pending"
    work()
    assert_ends(response.json()["order_id"], UNDONE)
    assert Order.objects.get().cancel_reason == storable(SENTENCES["long"], 200)


@pytest.fixture(params=WAYS)
def odd_providers(request, settings, tmp_path):
    """A sandbox that words everything in one of the odd ways."""
    settings.PROVIDER_TEXTS = request.param
    settings.PAYMENT_GATEWAY, settings.CARRIER = HTTP_GATEWAY, HTTP_CARRIER
    sandbox = Sandbox(("127.0.0.1", 0), tmp_path / "ledger.sqlite3", Knobs(), Knobs())
    serving = Thread(target=sandbox.serve_forever, args=[0.01])
    serving.start()
    url = f"http://127.0.0.1:{sandbox.server_port}"
    settings.PAYMENT_GATEWAY_URL, settings.CARRIER_URL = f"{url}/payments", f"{url}/carrier"
    yield
    gateway().client.close()
    carrier().client.close()
    sandbox.shutdown()
    serving.join()
    sandbox.server_close()


def test_every_wording_comes_over_http(odd_providers, place, api):
    declined = place(("book-123", 1), payment_token="tok_expired_card").json()
    assert declined.items() >= decline_of("tok_expired_card").items()
    assert place(("book-123", 1), shipping_address="000-0000").json()["code"] == "shipping_failed"
    order_id = place(("book-123", 1)).json()["order_id"]
    assert_ends(order_id, BOUGHT)
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert_ends(order_id, UNDONE)


def work():
    """Runs a worker once, when every wait is over."""
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow())
    call_command("run_worker", once=True)
