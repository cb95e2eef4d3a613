"""Idempotency-Key: a request that is sent twice is done once, and answered the same."""

from collections import Counter
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY

from cloudmart.database.clock import DatabaseNow
from cloudmart.models import IdempotencyKey
from cloudmart.providers.outcomes import OutcomeUnknown
from orders.models import Order
from payments.gateways.port import gateway
from sagas.choreography import driver
from sagas.models import SagaInstance
from sagas.orchestration import orchestrator
from tests.conftest import available, signed_in
from tests.factories import CustomerFactory
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug


@pytest.fixture
def order(api, style):
    """POST an order of one copy with this key."""

    def order(key="key-1", client=api, **changes):
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
        return client.post("/orders", {**body, **changes}, headers={"Idempotency-Key": key})

    return order


@pytest.fixture(autouse=True)
def shelf(shelve):
    shelve("book-123", 100)


def told(answer):
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    return answer.status_code, body, answer.headers.get("Location")


def test_a_repeat_is_answered_the_same_and_orders_nothing(order):
    first, repeat = order(), order()
    assert first.status_code == 201 and "Idempotent-Replayed" not in first
    assert told(repeat) == told(first)
    assert repeat["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == 1


def test_a_repeat_in_camel_case_with_other_order_of_fields_is_the_same_request(api, order, style):
    first = order()
    body = {"saga": style, "paymentMethod": "credit_card", "quantity": 1, "bookId": "book-123"}
    assert told(api.post("/orders", body, headers={"Idempotency-Key": "key-1"})) == told(first)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"payment_token": "tok_insufficient_funds"}, 402, "payment_declined"),
        ({"shipping_address": "999-9999 Nowhere"}, 409, "shipping_failed"),
        ({"quantity": 101}, 409, "out_of_stock"),
        ({"price": 1}, 409, "price_changed"),
    ],
)
def test_a_final_refusal_is_repeated(order, changes, status, code):
    first, repeat = order(**changes), order(**changes)
    assert (first.status_code, first.json()["code"]) == (status, code)
    assert told(repeat) == told(first) and repeat["Content-Type"] == "application/problem+json"
    assert repeat["Idempotent-Replayed"] == "true"
    assert Order.objects.count() <= 1


@pytest.mark.parametrize(("changes", "status"), [({"book_id": "book-404"}, 404), ({"quantity": 0}, 400)])
def test_what_was_not_understood_is_not_kept(order, changes, status):
    assert order(**changes).status_code == status
    assert not IdempotencyKey.objects.exists()
    assert order().status_code == 201


def test_a_key_is_for_one_request(api, order):
    order()
    for other in [order(quantity=2), api.post("/saga/start", {"x": 1}, headers={"Idempotency-Key": "key-1"})]:
        assert other.status_code == 422 and other.json()["code"] == "idempotency_key_reused"
    assert Order.objects.count() == 1


@known_bug("MySQL: collation")
def test_keys_that_look_alike_are_different_keys(order):
    for key in [
        "key",
        "KEY",
        "kéy".encode().decode("latin-1"),
        "kÉy".encode().decode("latin-1"),
        "k\xe9y",
        "key-",
        "key 1",
    ]:
        assert order(key).status_code == 201
    assert Order.objects.count() == 7


@pytest.mark.parametrize("key", ["", "  ", "k" * 256, "a\tb", "a\x7fb"])
def test_a_malformed_key_is_refused(order, key):
    answer = order(key)
    assert answer.status_code == 400 and answer.json()["code"] == "idempotency_key_malformed"


def test_a_quoted_key_is_the_key_in_the_quotes(order):
    assert told(order('"key-1"')) == told(order("key-1"))


def test_one_customers_key_is_nothing_to_another(order):
    sato = signed_in(CustomerFactory(id="customer-002").user)
    assert order(client=sato).json()["customer_id"] == "customer-002"
    assert order().json()["customer_id"] == "customer-001"
    assert Order.objects.count() == 2


def test_after_a_day_a_key_is_new(order):
    first = order()
    IdempotencyKey.objects.update(expires_at=DatabaseNow())
    assert order().json()["order_id"] != first.json()["order_id"]
    assert told(order())[0] == 201 and Order.objects.count() == 2


def test_who_is_cancelled_late_does_not_answer_the_next_order_of_the_key(api, order, monkeypatch):
    first = order().json()["order_id"]
    IdempotencyKey.objects.update(expires_at=DatabaseNow())
    charge = gateway().charge

    def cancel_the_first_meanwhile(*args, **asked):
        assert api.post(f"/orders/{first}/cancel").status_code == 200
        return charge(*args, **asked)

    monkeypatch.setattr(gateway(), "charge", cancel_the_first_meanwhile)
    second = order()
    assert second.status_code == 201 and second.json()["order_id"] != first
    assert told(order()) == told(second)


@known_bug("medusa#13301", "dbos-transact-ts#1205")
def test_a_hundred_at_once_are_one_order(api, order, style):
    broken_off = {"style": style, "outcome": "error"}
    before = REGISTRY.get_sample_value("cloudmart_orders_total", broken_off)
    answers = all_at_once([order] * 100)
    assert REGISTRY.get_sample_value("cloudmart_orders_total", broken_off) == before
    assert Counter(answer.status_code for answer in answers).keys() <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_key_in_use"}
    assert all(answer["Retry-After"] == "1" for answer in answers if answer.status_code == 409)
    assert len({answer.json()["order_id"] for answer in answers if answer.status_code == 201}) == 1
    assert sum("Idempotent-Replayed" not in answer for answer in answers if answer.status_code == 201) == 1
    assert Order.objects.count() == 1 and available("book-123") == 99
    assert order(quantity=2).status_code == 422


@known_bug("medusa PR#12795")
def test_while_an_order_waits_its_key_leads_to_it(order, monkeypatch):
    def silent(*args, **kwargs):
        raise OutcomeUnknown

    monkeypatch.setattr(gateway(), "charge", silent)
    monkeypatch.setattr(gateway(), "lookup", silent)
    first = order()
    IdempotencyKey.objects.update(expires_at=DatabaseNow())
    call_command("purge_idempotency_keys")
    repeat = order()
    assert first.status_code == 202
    assert repeat.status_code == 409 and repeat["Retry-After"] == "1"
    assert repeat.json()["order_id"] == first.json()["order_id"]
    assert Order.objects.count() == 1


class Killed(BaseException):
    """What no `except` in the product catches."""


def test_after_a_crash_a_repeat_leads_to_the_order_that_was_begun(order, monkeypatch):
    def die(*args, **kwargs):
        raise Killed

    monkeypatch.setattr(orchestrator, "call_provider", die)
    monkeypatch.setattr(driver, "tell", die)
    with pytest.raises(Killed):
        order()
    monkeypatch.undo()
    repeat = order()
    assert repeat.status_code == 409
    assert repeat.json()["order_id"] == str(Order.objects.get().pk)


@known_bug("dbos-transact-ts#725")
def test_a_repeat_does_not_keep_the_first_from_being_recovered(order, monkeypatch):
    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as dying, pytest.raises(Killed):
        dying.setattr(gateway(), "charge", die)
        order()
    for changes, status in ({}, 409), ({"quantity": 2}, 422):
        assert order(**changes).status_code == status
    SagaInstance.objects.update(lease_until=DatabaseNow())
    call_command("run_worker", once=True)
    answer = order()
    assert answer.status_code == 201 and answer["Idempotent-Replayed"] == "true"
    assert answer.json()["order_id"] == str(Order.objects.get().pk) and available("book-123") == 99


def test_a_key_costs_no_commit_and_no_key_costs_nothing(order, api, style):
    def writes(act):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert act().status_code == 201
        sql = [query["sql"] for query in queries]
        return sql.count("COMMIT"), [line for line in sql if "idempotency_keys" in line]

    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
    keyless_commits, keyless = writes(lambda: api.post("/orders", body))
    commits, keyed = writes(order)
    assert commits == keyless_commits and not keyless
    assert [line.split()[0] for line in keyed] == ["SELECT", "INSERT", "UPDATE"]


def test_a_cancellation_is_repeated_too(api, order):
    path = f"/orders/{order().json()['order_id']}/cancel"
    answers = [api.post(path, {"reason": "no"}, headers={"Idempotency-Key": "key-2"}) for _ in range(2)]
    assert told(answers[0]) == told(answers[1]) and answers[1]["Idempotent-Replayed"] == "true"
    other = api.post(path, {"reason": "yes"}, headers={"Idempotency-Key": "key-2"})
    assert other.status_code == 422
    assert order().json()["status"] == "completed"


@known_bug("medusa#14758")
def test_a_command_that_broke_off_is_done_again_after_a_while(api, order):
    path = f"/orders/{order().json()['order_id']}/cancel"
    api.post(path, headers={"Idempotency-Key": "key-2"})
    cut_short = IdempotencyKey.objects.filter(order_id=None)
    cut_short.update(status_code=None, body="")
    assert api.post(path, headers={"Idempotency-Key": "key-2"}).json()["code"] == "idempotency_key_in_use"
    cut_short.update(created_at="2020-01-01T00:00Z")
    assert api.post(path, headers={"Idempotency-Key": "key-2"}).status_code == 200
    assert cut_short.get().status_code == 200


def test_expired_keys_are_purged_in_batches(order, capsys):
    for number in range(5):
        order(f"key-{number}")
    expired = list(IdempotencyKey.objects.values_list("pk", flat=True)[:3])
    IdempotencyKey.objects.filter(pk__in=expired).update(expires_at=DatabaseNow())
    call_command("purge_idempotency_keys", batch=2)
    assert capsys.readouterr().out == "3 keys deleted\n"
    assert IdempotencyKey.objects.count() == 2


def test_what_could_not_be_done_now_may_be_asked_for_again(api, operator, order, monkeypatch):
    client, order_id = signed_in(operator), order().json()["order_id"]
    SagaInstance.objects.update(status="STOCK_RESERVED", lease_until=DatabaseNow() + timedelta(minutes=1))
    path, key = f"/saga/{order_id}/retry", {"Idempotency-Key": "key-3"}
    assert client.post(path, headers=key).json()["code"] == "saga_running"
    SagaInstance.objects.update(status="COMPLETED")
    assert client.post(path, headers=key).status_code == 200
