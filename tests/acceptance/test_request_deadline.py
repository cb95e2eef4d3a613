"""Requests that leave their order to the workers: `Prefer: respond-async`, and the request deadline."""

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from cloudmart.api import deadlines
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.desk import placing
from sagas.models import SagaInstance
from shipping.carriers.port import carrier
from tests.acceptance.conftest import end_of, holds
from tests.conftest import signed_in
from tests.known_bugs import known_bug

RESPOND_ASYNC = {"Prefer": "respond-async"}
ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
COMPLETED = ("completed", 1100, 1, [("book-123", 2, 0)])
UNDONE = ("cancelled", 0, 0, [("book-123", 3, 0)])


@pytest.fixture
def send(api, shelve, style):
    """Sends POST /orders with these headers and further fields."""
    shelve("book-123", 3)

    def send(headers=RESPOND_ASYNC, **more):
        return api.post("/orders", {**ORDER, "saga": style, **more}, headers=headers)

    return send


def provider_calls():
    """Returns the calls that the providers received."""
    return [method for provider in (gateway(), carrier()) for method, _ in provider.diary]


def run_worker():
    call_command("run_worker", once=True)


def assert_left_to_the_workers(response):
    assert response.status_code == 202 and response.json()["status"] == "pending"
    assert response["Location"] == f"/saga/{response.json()['order_id']}/status"
    assert int(response["Retry-After"]) >= 1
    assert provider_calls() == []
    assert end_of(response.json()["order_id"])[3] == [("book-123", 3, 1)], "the stock is reserved"
    saga = SagaInstance.objects.get()
    assert saga.wake_at and (saga.owner, saga.lease_until, saga.attempts) == ("", None, 0)


def test_respond_async_returns_202_before_any_provider_call(send):
    response = send()
    assert_left_to_the_workers(response)
    assert response["Preference-Applied"] == "respond-async"
    run_worker()
    assert end_of(response.json()["order_id"]) == COMPLETED
    assert provider_calls() == ["charge", "arrange"]


@known_bug("medusa#9077")
def test_a_repeat_gets_the_result_once_the_order_is_finished(send):
    with_key = {**RESPOND_ASYNC, "Idempotency-Key": "key"}
    order_id = send(with_key).json()["order_id"]
    again = send(with_key)
    assert again.status_code == 409 and again.json()["code"] == "idempotency_key_in_use"
    run_worker()
    response = send(with_key)
    assert response.status_code == 201 and response["Idempotent-Replayed"] == "true"
    assert response.json()["order_id"] == order_id and "Preference-Applied" not in response
    assert SagaInstance.objects.count() == 1


def test_every_202_in_the_schema_says_when_to_ask_again():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    accepted = [each["responses"]["202"] for each in operations if "202" in each["responses"]]
    assert len(accepted) >= 10 and all("Retry-After" in response["headers"] for response in accepted)


def test_a_repeat_gets_the_decline_that_a_worker_received(send):
    with_key = {**RESPOND_ASYNC, "Idempotency-Key": "key"}
    order_id = send(with_key, payment_token="tok_insufficient_funds").json()["order_id"]
    run_worker()
    response = send(with_key, payment_token="tok_insufficient_funds")
    assert response.status_code == 402 and response.json()["order_id"] == order_id
    assert end_of(order_id) == UNDONE


@pytest.mark.parametrize(
    ("header", "is_preferred"),
    [
        ("Respond-Async", True),
        ("return=minimal, respond-async", True),
        ("respond-async; foo=bar", True),
        ('respond-async=""', True),
        ('foo="a, respond-async, b"', False),
        ("respond-asynchronously", False),
        ("return=minimal; respond-async", False),
        ("", False),
    ],
)
def test_the_prefer_header_is_parsed_according_to_rfc_7240(send, header, is_preferred):
    response = send({"Prefer": header})
    assert response.status_code == (202 if is_preferred else 201)
    assert response.has_header("Preference-Applied") == response.has_header("Retry-After") == is_preferred


def test_an_order_that_is_refused_at_once_needs_no_worker(send):
    response = send(quantity=4)
    assert response.status_code == 409 and response.json()["code"] == "out_of_stock"
    assert not SagaInstance.objects.exists()


def test_an_order_that_fails_before_any_provider_call_needs_no_worker(send, monkeypatch):
    monkeypatch.setattr(placing.inventory, "check_availability", lambda books, wanted: None)
    response = send(quantity=4)
    assert response.status_code == 409 and response.json()["saga_status"] == "FAILED"
    assert provider_calls() == []


def test_saga_start_supports_respond_async(api, shelve):
    shelve("book-123", 3)
    response = api.post("/saga/start", ORDER, headers=RESPOND_ASYNC)
    assert_left_to_the_workers(response)
    assert response["Preference-Applied"] == "respond-async"


def test_confirming_a_draft_supports_respond_async(api, send, style):
    draft = api.post("/orders", {"saga": style, "payment_method": "credit_card"}).json()["order_id"]
    api.post(f"/orders/{draft}/items", {"book_id": "book-123", "quantity": 1})
    response = api.post(f"/orders/{draft}/confirm", {}, headers=RESPOND_ASYNC)
    assert_left_to_the_workers(response)
    assert response["Preference-Applied"] == "respond-async"
    run_worker()
    assert end_of(draft) == COMPLETED


def test_a_cancellation_supports_respond_async(api, send):
    order_id = send({}).json()["order_id"]
    response = api.post(f"/orders/{order_id}/cancel", {}, headers=RESPOND_ASYNC)
    assert response.status_code == 202 and response["Preference-Applied"] == "respond-async"
    assert int(response["Retry-After"]) >= 1
    assert provider_calls() == ["charge", "arrange"]
    run_worker()
    assert end_of(order_id) == UNDONE


@pytest.mark.parametrize("command", ["retry", "compensate"])
def test_operator_commands_support_respond_async(send, operator, command):
    order_id = send().json()["order_id"]
    response = signed_in(operator).post(f"/saga/{order_id}/{command}", headers=RESPOND_ASYNC)
    assert response.status_code == 202 and response["Preference-Applied"] == "respond-async"
    assert int(response["Retry-After"]) >= 1
    assert "charge" not in provider_calls()
    run_worker()
    assert end_of(order_id) == (COMPLETED if command == "retry" else UNDONE)


def test_a_request_past_its_deadline_leaves_the_order_to_the_workers(send, settings):
    settings.REQUEST_BUDGET = 0
    response = send({})
    assert_left_to_the_workers(response)
    assert not response.has_header("Preference-Applied")
    run_worker()
    assert end_of(response.json()["order_id"]) == COMPLETED, "a worker has time"


def test_a_provider_response_received_before_the_deadline_is_kept(send, monkeypatch, settings):
    charge, now = MockGateway.charge, [0]

    def charge_for_long(self, key, **kwargs):
        now[0] += settings.REQUEST_BUDGET
        return charge(self, key, **kwargs)

    monkeypatch.setattr(deadlines, "monotonic", lambda: now[0])
    monkeypatch.setattr(MockGateway, "charge", charge_for_long)
    response = send({})
    assert response.status_code == 202 and response.json()["saga_status"] == "PAYMENT_COMPLETED"
    order_id = response.json()["order_id"]
    assert provider_calls() == ["charge"] and holds(order_id) == {"active"}
    run_worker()
    assert end_of(order_id) == COMPLETED and provider_calls() == ["charge", "arrange"]
