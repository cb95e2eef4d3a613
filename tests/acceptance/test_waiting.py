"""A provider that gives no sure answer: unknown is not failed, and an undo is never given up."""

from datetime import timedelta

import pytest

from cloudmart.database.clock import DatabaseNow
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable, Unknown
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.engine.recovery import due
from sagas.models import SagaInstance
from tests.acceptance.conftest import end_of, holds
from tests.conftest import signed_in
from tests.known_bugs import known_bug


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


@known_bug("customers-and-orders#46", "medusa#10201")
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


@pytest.fixture
def retry(operator):
    """POST /saga/{order_id}/retry, as an operator."""
    client = signed_in(operator)
    return lambda order_id: client.post(f"/saga/{order_id}/retry")


def test_an_operator_has_a_waiting_saga_go_on(place, shelve, monkeypatch, keys_asked, retry):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no answer")))
        order_id = place(("book-123", 1)).json()["order_id"]
        again = retry(order_id)
    assert again.status_code == 202 and again.json()["status"] == "STOCK_RESERVED"
    assert SagaInstance.objects.get().attempts == 2
    done = retry(order_id)
    assert done.status_code == 200 and done.json()["status"] == "COMPLETED"
    assert end_of(order_id) == ("completed", 1100, 1, [("book-123", 2, 0)])
    again = retry(order_id).json()
    assert len(again["actions"]) == 3
    assert {**again, "actions": []} == {**done.json(), "actions": []}, "a saga at rest stays as it is"
    assert Payment.objects.count() == 1


@known_bug("eventuate-tram-sagas#75")
def test_a_retry_pays_back_what_is_owed(place, shelve, monkeypatch, retry):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
        order_id = place(("book-123", 1), shipping_address="999-9999").json()["order_id"]
    assert retry(order_id).json()["status"] == "FAILED"
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])


def test_a_waiting_order_that_is_cancelled_turns_back_when_it_goes_on(
    place, api, shelve, monkeypatch, keys_asked, retry
):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no answer")))
        order_id = place(("book-123", 1)).json()["order_id"]
    assert due(1) == []
    assert api.post(f"/orders/{order_id}/cancel", {"reason": "too slow"}).status_code == 202
    assert [str(saga.order_id) for saga in due(1)] == [order_id], "there is no need to wait any longer"
    told = retry(order_id).json()
    assert told["status"] == "FAILED" and told["failure"]["reason"] == "too slow"
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])


def test_nobody_takes_a_saga_from_who_drives_it(place, shelve, monkeypatch, keys_asked, retry):
    shelve("book-123", 3)
    monkeypatch.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no answer")))
    order_id = place(("book-123", 1)).json()["order_id"]
    SagaInstance.objects.update(lease_until=DatabaseNow() + timedelta(minutes=1))
    refused = retry(order_id)
    assert refused.status_code == 409 and refused.json()["code"] == "saga_running"


@known_bug("medusa#9077")
def test_a_key_is_answered_by_whoever_ends_the_order(api, shelve, style, monkeypatch, keys_asked, retry):
    shelve("book-123", 3)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money", "saga": style}

    def order():
        return api.post("/orders", body, headers={"Idempotency-Key": "key"})

    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no answer")))
        order_id = order().json()["order_id"]
    assert order().status_code == 409
    retry(order_id)
    answer = order()
    assert answer.status_code == 201 and answer["Idempotent-Replayed"] == "true"
    assert answer.json()["order_id"] == order_id and answer.json()["status"] == "completed"


def test_an_operator_cancels_through_the_saga(place, shelve, operator):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    client = signed_in(operator)
    for _ in range(2):
        answer = client.post(f"/saga/{order_id}/cancel", {"reason": "recalled"})
        assert answer.status_code == 200 and answer.json()["status"] == "FAILED"
        assert answer.json()["failure"]["reason"] == "recalled"
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])
