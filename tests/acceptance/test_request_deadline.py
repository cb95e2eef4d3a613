"""Requests that do not wait for their order: because the client would rather not, or because it takes too long."""

import pytest
from django.core.management import call_command

from cloudmart.api import deadlines
from payments.gateways.mock import MockGateway
from payments.gateways.port import gateway
from sagas.desk import placing as placement
from sagas.models import SagaInstance
from shipping.carriers.port import carrier
from tests.acceptance.conftest import end_of, holds
from tests.conftest import signed_in
from tests.known_bugs import known_bug

AT_ONCE = {"Prefer": "respond-async"}
ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
BOUGHT = ("completed", 1100, 1, [("book-123", 2, 0)])
UNDONE = ("cancelled", 0, 0, [("book-123", 3, 0)])


@pytest.fixture
def send(api, shelve, style):
    """POST /orders, with more in the body, and headers."""
    shelve("book-123", 3)

    def send(headers=AT_ONCE, **more):
        return api.post("/orders", {**ORDER, "saga": style, **more}, headers=headers)

    return send


def asked():
    """What the providers were asked to do."""
    return [verb for provider in (gateway(), carrier()) for verb, _ in provider.diary]


def work():
    call_command("run_worker", once=True)


def assert_it_is_left_to_the_workers(answer):
    assert answer.status_code == 202 and answer.json()["status"] == "pending"
    assert answer["Location"] == f"/saga/{answer.json()['order_id']}/status"
    assert asked() == []
    assert end_of(answer.json()["order_id"])[3] == [("book-123", 3, 1)], "the stock is held"
    saga = SagaInstance.objects.get()
    assert saga.wake_at and (saga.owner, saga.lease_until, saga.attempts) == ("", None, 0)


def test_who_prefers_that_is_answered_before_any_provider(send):
    answer = send()
    assert_it_is_left_to_the_workers(answer)
    assert answer["Preference-Applied"] == "respond-async"
    work()
    assert end_of(answer.json()["order_id"]) == BOUGHT
    assert asked() == ["charge", "arrange"]


@known_bug("medusa#9077")
def test_the_key_is_answered_when_the_order_ends(send):
    with_key = {**AT_ONCE, "Idempotency-Key": "key"}
    order_id = send(with_key).json()["order_id"]
    again = send(with_key)
    assert again.status_code == 409 and again.json()["code"] == "idempotency_key_in_use"
    work()
    answer = send(with_key)
    assert answer.status_code == 201 and answer["Idempotent-Replayed"] == "true"
    assert answer.json()["order_id"] == order_id and "Preference-Applied" not in answer
    assert SagaInstance.objects.count() == 1


def test_what_a_worker_is_refused_the_key_tells(send):
    with_key = {**AT_ONCE, "Idempotency-Key": "key"}
    order_id = send(with_key, payment_token="tok_insufficient_funds").json()["order_id"]
    work()
    answer = send(with_key, payment_token="tok_insufficient_funds")
    assert answer.status_code == 402 and answer.json()["order_id"] == order_id
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
def test_the_header_is_read_as_its_standard_says(send, header, is_preferred):
    answer = send({"Prefer": header})
    assert answer.status_code == (202 if is_preferred else 201)
    assert answer.has_header("Preference-Applied") == is_preferred


def test_a_refusal_at_the_desk_needs_no_worker(send):
    answer = send(quantity=4)
    assert answer.status_code == 409 and answer.json()["code"] == "out_of_stock"
    assert not SagaInstance.objects.exists()


def test_a_failure_that_asks_no_provider_needs_none_either(send, monkeypatch):
    monkeypatch.setattr(placement.inventory, "check_availability", lambda books, wanted: None)
    answer = send(quantity=4)
    assert answer.status_code == 409 and answer.json()["saga_status"] == "FAILED"
    assert asked() == []


def test_an_orchestrated_order_need_not_be_waited_for_either(api, shelve):
    shelve("book-123", 3)
    answer = api.post("/saga/start", ORDER, headers=AT_ONCE)
    assert_it_is_left_to_the_workers(answer)
    assert answer["Preference-Applied"] == "respond-async"


def test_a_confirmed_draft_need_not_be_waited_for(api, send, style):
    draft = api.post("/orders", {"saga": style, "payment_method": "credit_card"}).json()["order_id"]
    api.post(f"/orders/{draft}/items", {"book_id": "book-123", "quantity": 1})
    answer = api.post(f"/orders/{draft}/confirm", {}, headers=AT_ONCE)
    assert_it_is_left_to_the_workers(answer)
    assert answer["Preference-Applied"] == "respond-async"
    work()
    assert end_of(draft) == BOUGHT


def test_a_cancellation_need_not_be_waited_for(api, send):
    order_id = send({}).json()["order_id"]
    answer = api.post(f"/orders/{order_id}/cancel", {}, headers=AT_ONCE)
    assert answer.status_code == 202 and answer["Preference-Applied"] == "respond-async"
    assert asked() == ["charge", "arrange"]
    work()
    assert end_of(order_id) == UNDONE


@pytest.mark.parametrize("verb", ["retry", "compensate"])
def test_neither_need_an_operators_word(send, operator, verb):
    order_id = send().json()["order_id"]
    answer = signed_in(operator).post(f"/saga/{order_id}/{verb}", headers=AT_ONCE)
    assert answer.status_code == 202 and answer["Preference-Applied"] == "respond-async"
    assert "charge" not in asked()
    work()
    assert end_of(order_id) == (BOUGHT if verb == "retry" else UNDONE)


def test_a_request_leaves_to_the_workers_what_takes_too_long(send, settings):
    settings.REQUEST_BUDGET = 0
    answer = send({})
    assert_it_is_left_to_the_workers(answer)
    assert not answer.has_header("Preference-Applied")
    work()
    assert end_of(answer.json()["order_id"]) == BOUGHT, "a worker has time"


def test_what_was_heard_before_the_budget_was_spent_is_kept(send, monkeypatch, settings):
    charge, now = MockGateway.charge, [0]

    def charge_for_long(self, key, **kwargs):
        now[0] += settings.REQUEST_BUDGET
        return charge(self, key, **kwargs)

    monkeypatch.setattr(deadlines, "monotonic", lambda: now[0])
    monkeypatch.setattr(MockGateway, "charge", charge_for_long)
    answer = send({})
    assert answer.status_code == 202 and answer.json()["saga_status"] == "PAYMENT_COMPLETED"
    order_id = answer.json()["order_id"]
    assert asked() == ["charge"] and holds(order_id) == {"active"}
    work()
    assert end_of(order_id) == BOUGHT and asked() == ["charge", "arrange"]
