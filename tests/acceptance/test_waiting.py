"""A provider that gives no sure answer: unknown is not failed, and an undo is never given up."""

import pytest

from cloudmart.kernel.remote import OutcomeUnknown, ProviderUnavailable, Unknown
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.models import SagaInstance
from tests.acceptance.conftest import end_of, holds


def fails_with(error):
    def call(self, key, **kwargs):
        raise error

    return call


@pytest.fixture
def keys_asked(monkeypatch):
    """The idempotency keys that were looked up at the gateway, in vain."""
    asked = []
    monkeypatch.setattr(MockGateway, "lookup", lambda self, key: asked.append(key) or Unknown("nobody knows"))
    return asked


def test_a_charge_that_may_have_happened_is_not_declined(place, shelve, status_of, monkeypatch, keys_asked):
    shelve("book-123", 3)
    monkeypatch.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no answer")))
    answer = place(("book-123", 1))
    assert answer.status_code == 202
    order = answer.json()
    assert order["status"] == "pending" and answer["Location"] == f"/saga/{order['order_id']}/status"
    assert end_of(order["order_id"])[3] == [("book-123", 3, 1)], "the stock stays held"
    assert keys_asked == [Payment.objects.get().idempotency_key], "looked up under the key of the intent"
    told = status_of(order["order_id"])
    assert told["status"] == "STOCK_RESERVED" and told["failure"] is None
    assert SagaInstance.objects.get().wake_at


def test_a_refund_that_cannot_be_made_now_is_owed(place, shelve, status_of, monkeypatch):
    shelve("book-123", 3)
    monkeypatch.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
    answer = place(("book-123", 1), shipping_address="999-9999")
    assert answer.status_code == 202
    order_id = answer.json()["order_id"]
    told = status_of(order_id)
    assert told["status"] == "COMPENSATION_STARTED" and told["failure"]["code"] == "shipping_failed"
    assert end_of(order_id)[:2] == ("pending", 1100), "the order is not cancelled while we have the money"
    assert holds(order_id) <= {"active", "released"}
    assert SagaInstance.objects.get().wake_at
