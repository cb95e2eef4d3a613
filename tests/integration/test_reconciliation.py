"""The audit compares our records with the providers' ledgers, if the adapters can read them."""

import pytest

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.providers.outcomes import Accepted
from payments import direct as payments
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from payments.models import Payment, Refund
from sagas.desk.cancelling import cancel_order
from sagas.operations.audit.audit import audit
from shipping import direct as shipping
from shipping.carriers.mock import MockCarrier
from shipping.carriers.port import carrier
from shipping.models import Shipment
from tests.committed import mark_as_shipped
from tests.conftest import HTTP_CARRIER, HTTP_GATEWAY
from tests.integration.test_audit import down, failing, place
from tests.integration.test_audit import shop as stories
from tests.sandbox import run_sandbox


class OpenGateway(MockGateway):
    """Keeps what is left of each charge."""

    def __init__(self):
        super().__init__()
        self.left, self.charges, self.refunds = {}, {}, set()

    def ledger(self):
        return {key: amount for key, amount in self.left.items() if amount}

    def charge(self, key, *, amount, **body):
        outcome = super().charge(key, amount=amount, **body)
        if isinstance(outcome, Accepted):
            self.left.setdefault(key, amount)
            self.charges[outcome.reference or key] = key
        return outcome

    def cancel(self, key, *, charge_key):
        self.left[charge_key] = 0
        return super().cancel(key, charge_key=charge_key)

    def refund(self, key, *, transaction_id, amount):
        if key not in self.refunds:
            self.left[self.charges[transaction_id]] -= amount
        self.refunds.add(key)
        return super().refund(key, transaction_id=transaction_id, amount=amount)


class OpenCarrier(MockCarrier):
    """Keeps the parcels that it has to collect, or has collected."""

    def __init__(self):
        super().__init__()
        self.parcels = {}

    def ledger(self):
        return self.parcels

    def arrange(self, key, **body):
        outcome = super().arrange(key, **body)
        if isinstance(outcome, Accepted):
            self.parcels[key] = 1
        return outcome

    def cancel(self, key, *, arrange_key):
        self.parcels.pop(arrange_key, None)
        return super().cancel(key, arrange_key=arrange_key)


@pytest.fixture
def open_providers(settings):
    settings.PAYMENT_GATEWAY = "tests.integration.test_reconciliation.OpenGateway"
    settings.CARRIER = "tests.integration.test_reconciliation.OpenCarrier"


@pytest.fixture
def shop(open_providers, customer, shelve):
    return stories.__wrapped__(customer, shelve)


@pytest.fixture
def order_id(shop):
    return shop["choreography", "completed"]


def key_of(model, order_id):
    return model.objects.get(order_id=order_id).idempotency_key


def test_the_records_agree_after_every_story(shop):
    assert failing() == {}
    assert (len(gateway().ledger()), len(carrier().ledger())) == (2, 4), "the carrier has delivered what came back"


def test_an_intent_in_doubt_may_have_been_carried_out_or_not(shop, order_id, monkeypatch):
    with down(monkeypatch, "charge"):
        payments.process(payments.ChargeRequest(new_id(), 500, "credit_card"))
    paid = payments.process(payments.ChargeRequest(new_id(), 500, "credit_card"))
    Payment.objects.filter(pk=paid.pk).update(status="pending", transaction_id="")
    with down(monkeypatch, "refund"):
        payments.refund(payments.PartialRefund(order_id, 100, "not done"))
    payments.refund(payments.PartialRefund(order_id, 200, "done"))
    Refund.objects.update(status="pending")
    Refund.objects.filter(payment__status="refunded").update(status="refunded")
    assert failing() == {}


def test_direct_commands_are_in_both_ledgers(order_id):
    payments.refund(payments.PartialRefund(order_id, 100, "sorry"))
    mark_as_shipped(order_id)
    assert failing() == {}
    order_id = place("orchestration")
    shipping.cancel(order_id)
    cancel_order(order_id, "Changed my mind.")
    assert failing() == {}


def test_a_charge_without_a_record_is_found(shop):
    gateway().charge(
        "somebody else's", order_id=new_id(), customer_id="", amount=5, currency="JPY", method="credit_card", token=""
    )
    carrier().arrange("somebody else's", order_id=new_id(), address=Address("150-0001"))
    assert failing() == {"gateway_agrees": ("somebody else's",), "carrier_agrees": ("somebody else's",)}


def test_a_charge_that_the_gateway_forgets_is_found(order_id):
    key = key_of(Payment, order_id)
    del gateway().left[key]
    assert failing() == {"gateway_agrees": (key,)}


@pytest.mark.parametrize("left", [1099, 1101])
def test_another_amount_is_found(order_id, left):
    key = key_of(Payment, order_id)
    gateway().left[key] = left
    assert failing() == {"gateway_agrees": (key,)}


def test_a_voided_charge_that_was_made_is_found(shop):
    key = key_of(Payment, shop["orchestration", "declined"])
    gateway().left[key] = 1100
    assert failing() == {"gateway_agrees": (key,)}


def test_a_parcel_that_the_carrier_does_not_know_is_found(order_id):
    key = key_of(Shipment, order_id)
    del carrier().parcels[key]
    assert failing() == {"carrier_agrees": (key,)}


def test_a_difference_that_is_seen_once_is_ignored(order_id, monkeypatch):
    looks = []
    monkeypatch.setattr(OpenGateway, "ledger", lambda self: looks.append(1) or (self.left if len(looks) > 1 else {}))
    assert failing() == {} and len(looks) == 2


def test_a_provider_without_a_ledger_is_not_audited(customer):
    assert not {"gateway_agrees", "carrier_agrees"} & {finding.name for finding in audit(limit=1)}


@pytest.fixture
def own_sandbox(settings, tmp_path):
    """A sandbox with an empty ledger."""
    with run_sandbox(tmp_path / "ledger.sqlite3") as sandbox:
        settings.PAYMENT_GATEWAY, settings.PAYMENT_GATEWAY_URL = HTTP_GATEWAY, f"{sandbox.url}/payments"
        settings.CARRIER, settings.CARRIER_URL = HTTP_CARRIER, f"{sandbox.url}/carrier"
        yield
        gateway().client.close()
        carrier().client.close()


def test_the_audit_compares_records_with_a_sandboxs_ledger(own_sandbox, customer, shelve):
    stories.__wrapped__(customer, shelve)
    assert not differing()
    payment = Payment.objects.filter(status="captured").first()
    gateway().cancel("somebody else's", charge_key=payment.idempotency_key)
    assert differing() == {"gateway_agrees": (payment.idempotency_key,)}


def differing():
    findings = [finding for finding in audit(limit=5) if finding.name in {"gateway_agrees", "carrier_agrees"}]
    assert len(findings) == 2 and all(finding.checked for finding in findings)
    return {finding.name: finding.offenders for finding in findings if finding.offenders}
