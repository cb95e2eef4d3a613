"""Unknown outcomes of provider calls: an unknown outcome is not a failure, and compensation is always retried."""

from datetime import timedelta

import pytest

from cloudmart.database.clock import DatabaseNow
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable, Refused, Unknown
from payments.errors import PaymentDeclined
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
def looked_up_keys(monkeypatch):
    """The idempotency keys that were looked up at the gateway, without a certain outcome."""
    keys = []
    monkeypatch.setattr(MockGateway, "lookup", lambda self, key: keys.append(key) or Unknown("no response"))
    return keys


def test_an_order_waits_while_the_outcome_of_its_charge_is_unknown(
    place, shelve, status_of, monkeypatch, looked_up_keys
):
    shelve("book-123", 3)
    monkeypatch.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
    response = place(("book-123", 1))
    assert response.status_code == 202
    order = response.json()
    assert order["status"] == "pending" and response["Location"] == f"/saga/{order['order_id']}/status"
    assert end_of(order["order_id"])[3] == [("book-123", 3, 1)], "the stock stays reserved"
    assert looked_up_keys == [Payment.objects.get().idempotency_key], "it is looked up with the key of the intent"
    saga = status_of(order["order_id"])
    assert saga["status"] == "STOCK_RESERVED" and saga["failure"] is None
    assert SagaInstance.objects.get().wake_at


@known_bug("customers-and-orders#46", "medusa#10201")
def test_an_order_whose_refund_fails_waits_and_is_not_cancelled(place, shelve, status_of, monkeypatch):
    shelve("book-123", 3)
    monkeypatch.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
    response = place(("book-123", 1), shipping_address="999-9999")
    assert response.status_code == 202
    order_id = response.json()["order_id"]
    saga = status_of(order_id)
    assert saga["status"] == "COMPENSATION_STARTED" and saga["failure"]["code"] == "shipping_failed"
    assert end_of(order_id)[:2] == ("pending", 1100), "the order is not cancelled before the refund"
    assert holds(order_id) <= {"active", "released"}
    assert SagaInstance.objects.get().wake_at


@pytest.fixture
def retry(operator):
    """Sends POST /saga/{order_id}/retry as an operator."""
    client = signed_in(operator)
    return lambda order_id: client.post(f"/saga/{order_id}/retry")


def test_an_operator_retries_a_waiting_saga(place, shelve, monkeypatch, looked_up_keys, retry):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
        order_id = place(("book-123", 1)).json()["order_id"]
        again = retry(order_id)
    assert again.status_code == 202 and again.json()["status"] == "STOCK_RESERVED"
    assert SagaInstance.objects.get().attempts == 2
    done = retry(order_id)
    assert done.status_code == 200 and done.json()["status"] == "COMPLETED"
    assert end_of(order_id) == ("completed", 1100, 1, [("book-123", 2, 0)])
    again = retry(order_id).json()
    assert len(again["actions"]) == 3
    assert {**again, "actions": []} == {**done.json(), "actions": []}, "a finished saga stays as it is"
    assert Payment.objects.count() == 1


@known_bug("eventuate-tram-sagas#75")
def test_a_retry_makes_the_refund(place, shelve, monkeypatch, retry):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
        order_id = place(("book-123", 1), shipping_address="999-9999").json()["order_id"]
    assert retry(order_id).json()["status"] == "FAILED"
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])


def test_a_waiting_order_is_due_and_compensated_once_its_cancellation_is_requested(
    place, api, shelve, monkeypatch, looked_up_keys, retry
):
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
        order_id = place(("book-123", 1)).json()["order_id"]
    assert due(1) == []
    assert api.post(f"/orders/{order_id}/cancel", {"reason": "too slow"}).status_code == 202
    assert [str(saga.order_id) for saga in due(1)] == [order_id], "it is due at once"
    saga = retry(order_id).json()
    assert saga["status"] == "FAILED" and saga["failure"]["reason"] == "too slow"
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])


def test_a_retry_is_refused_while_another_driver_holds_the_lease(place, shelve, monkeypatch, looked_up_keys, retry):
    shelve("book-123", 3)
    monkeypatch.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
    order_id = place(("book-123", 1)).json()["order_id"]
    SagaInstance.objects.update(lease_until=DatabaseNow() + timedelta(minutes=1))
    refused = retry(order_id)
    assert refused.status_code == 409 and refused.json()["code"] == "saga_running"


@known_bug("medusa#9077")
def test_the_idempotency_key_gets_its_response_from_the_driver_that_finishes_the_order(
    api, shelve, style, monkeypatch, looked_up_keys, retry
):
    shelve("book-123", 3)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money", "saga": style}

    def order():
        return api.post("/orders", body, headers={"Idempotency-Key": "key"})

    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no response")))
        order_id = order().json()["order_id"]
    assert order().status_code == 409
    retry(order_id)
    response = order()
    assert response.status_code == 201 and response["Idempotent-Replayed"] == "true"
    assert response.json()["order_id"] == order_id and response.json()["status"] == "completed"


def test_an_operator_cancels_a_completed_order_twice(place, shelve, operator):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    client = signed_in(operator)
    for _ in range(2):
        response = client.post(f"/saga/{order_id}/cancel", {"reason": "recalled"})
        assert response.status_code == 200 and response.json()["status"] == "FAILED"
        assert response.json()["failure"]["reason"] == "recalled"
    assert end_of(order_id) == ("cancelled", 0, 0, [("book-123", 3, 0)])


@pytest.mark.parametrize(
    ("method", "response", "for_customers"),
    [
        ("charge", OutcomeUnknown("RemoteProtocolError"), "The payment is not confirmed yet."),
        ("refund", Refused(PaymentDeclined("internal", reason="internal")), "The refund is not confirmed yet."),
    ],
)
def test_customers_read_nothing_internal_of_an_order_that_waits(
    api, desk, place, shelve, settings, monkeypatch, looked_up_keys, method, response, for_customers
):
    settings.ATTENTION_AFTER = 1
    shelve("book-123", 3)
    gateway = fails_with(response) if method == "charge" else lambda self, key, **rest: response
    monkeypatch.setattr(MockGateway, method, gateway)
    order_id = place(("book-123", 1), shipping_address="000-0000").json()["order_id"]
    attention = {client: client.get(f"/saga/{order_id}/status").json()["attention"] for client in (api, desk)}
    assert attention[api] == for_customers
    assert attention[desk].startswith("1 run has failed. Payment gateway: it ")
    desk.post(f"/saga/{order_id}/abandon", {"reason": "We call you."})
    assert api.get(f"/saga/{order_id}/status").json()["attention"] == "We call you."
