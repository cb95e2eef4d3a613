"""Idempotency-Key: a request that is sent twice is processed once, and gets the same response."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY

from cloudmart.database.clock import DatabaseNow
from cloudmart.models import IdempotencyKey
from cloudmart.providers.outcomes import OutcomeUnknown
from inventory import selectors as inventory_selectors
from orders.models import Order
from payments.gateways.port import gateway
from sagas.engine import runner
from sagas.models import SagaInstance
from tests.conftest import available, signed_in
from tests.factories import CustomerFactory
from tests.integration.test_races import all_at_once
from tests.known_bugs import known_bug


@pytest.fixture
def order(api, style):
    """Returns a function that posts an order of one copy with this key."""

    def order(key="key-1", client=api, **changes):
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
        return client.post("/orders", {**body, **changes}, headers={"Idempotency-Key": key})

    return order


@pytest.fixture(autouse=True)
def shelf(shelve):
    shelve("book-123", 100)


def content(response):
    """Returns what a repeat has in common with the first response."""
    body = {name: value for name, value in response.json().items() if name != "request_id"}
    return response.status_code, body, response.headers.get("Location")


def test_a_repeat_gets_the_same_response_and_orders_nothing(order):
    first, repeat = order(), order()
    assert first.status_code == 201 and "Idempotent-Replayed" not in first
    assert content(repeat) == content(first)
    assert repeat["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == 1


def test_a_repeat_in_camel_case_and_another_order_of_fields_is_the_same_request(api, order, style):
    first = order()
    body = {"saga": style, "paymentMethod": "credit_card", "quantity": 1, "bookId": "book-123"}
    assert content(api.post("/orders", body, headers={"Idempotency-Key": "key-1"})) == content(first)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"payment_token": "tok_insufficient_funds"}, 402, "payment_declined"),
        ({"shipping_address": "999-9999 Nowhere"}, 409, "shipping_failed"),
        ({"quantity": 101}, 409, "out_of_stock"),
        ({"price": 1}, 409, "price_changed"),
    ],
)
def test_a_repeat_gets_the_same_final_refusal(order, changes, status, code):
    first, repeat = order(**changes), order(**changes)
    assert (first.status_code, first.json()["code"]) == (status, code)
    assert content(repeat) == content(first) and repeat["Content-Type"] == "application/problem+json"
    assert repeat["Idempotent-Replayed"] == "true"
    assert Order.objects.count() <= 1


@pytest.mark.parametrize(("changes", "status"), [({"book_id": "book-404"}, 404), ({"quantity": 0}, 400)])
def test_the_response_to_an_invalid_request_is_not_stored(order, changes, status):
    assert order(**changes).status_code == status
    assert not IdempotencyKey.objects.exists()
    assert order().status_code == 201


def test_a_key_cannot_be_used_for_another_request(api, order):
    order()
    for other in [order(quantity=2), api.post("/saga/start", {"x": 1}, headers={"Idempotency-Key": "key-1"})]:
        assert other.status_code == 422 and other.json()["code"] == "idempotency_key_reused"
    assert Order.objects.count() == 1


@known_bug("MySQL: collation")
def test_similar_keys_are_different_keys(order):
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
    response = order(key)
    assert response.status_code == 400 and response.json()["code"] == "idempotency_key_malformed"


def test_quotes_around_a_key_are_ignored(order):
    assert content(order('"key-1"')) == content(order("key-1"))


def test_two_customers_may_use_the_same_key(order):
    sato = signed_in(CustomerFactory(id="customer-002").user)
    assert order(client=sato).json()["customer_id"] == "customer-002"
    assert order().json()["customer_id"] == "customer-001"
    assert Order.objects.count() == 2


def test_an_expired_key_can_be_used_for_a_new_request(order):
    first = order()
    IdempotencyKey.objects.update(expires_at=DatabaseNow())
    assert order().json()["order_id"] != first.json()["order_id"]
    assert content(order())[0] == 201 and Order.objects.count() == 2


def test_a_late_cancellation_does_not_store_a_response_for_the_next_order_of_the_key(api, order, monkeypatch):
    first = order().json()["order_id"]
    IdempotencyKey.objects.update(expires_at=DatabaseNow())
    charge = gateway().charge

    def cancel_the_first_meanwhile(*args, **kwargs):
        assert api.post(f"/orders/{first}/cancel").status_code == 200
        return charge(*args, **kwargs)

    monkeypatch.setattr(gateway(), "charge", cancel_the_first_meanwhile)
    second = order()
    assert second.status_code == 201 and second.json()["order_id"] != first
    assert content(order()) == content(second)


@known_bug("medusa#13301", "dbos-transact-ts#1205")
def test_a_hundred_concurrent_requests_with_one_key_place_one_order(api, order, style):
    error = {"style": style, "outcome": "error"}
    before = REGISTRY.get_sample_value("cloudmart_orders_total", error)
    responses = all_at_once([order] * 100)
    assert REGISTRY.get_sample_value("cloudmart_orders_total", error) == before
    assert {response.status_code for response in responses} <= {201, 409}
    placed = [response for response in responses if response.status_code == 201]
    refused = [response for response in responses if response.status_code == 409]
    assert {response.json()["code"] for response in refused} <= {"idempotency_key_in_use"}
    assert all(response["Retry-After"] == "1" for response in refused)
    assert len({response.json()["order_id"] for response in placed}) == 1
    assert sum("Idempotent-Replayed" not in response for response in placed) == 1
    assert Order.objects.count() == 1 and available("book-123") == 99
    assert order(quantity=2).status_code == 422


@known_bug("medusa PR#12795")
def test_a_repeat_names_the_order_while_its_saga_waits(order, monkeypatch):
    def unresponsive(*args, **kwargs):
        raise OutcomeUnknown

    monkeypatch.setattr(gateway(), "charge", unresponsive)
    monkeypatch.setattr(gateway(), "lookup", unresponsive)
    first = order()
    IdempotencyKey.objects.update(expires_at=DatabaseNow())
    call_command("purge_idempotency_keys")
    repeat = order()
    assert first.status_code == 202
    assert repeat.status_code == 409 and repeat["Retry-After"] == "1"
    assert repeat.json()["order_id"] == first.json()["order_id"]
    assert Order.objects.count() == 1


class Killed(BaseException):
    """No `except` in the product catches this."""


def test_after_a_crash_a_repeat_names_the_stored_order(order, monkeypatch):
    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as dying, pytest.raises(Killed):
        dying.setattr(runner, "call_provider", die)
        order()
    repeat = order()
    assert repeat.status_code == 409
    assert repeat.json()["order_id"] == str(Order.objects.get().pk)


@known_bug("dbos-transact-ts#725")
def test_a_repeat_does_not_prevent_the_recovery_of_the_first_request(order, monkeypatch):
    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as dying, pytest.raises(Killed):
        dying.setattr(gateway(), "charge", die)
        order()
    for changes, status in ({}, 409), ({"quantity": 2}, 422):
        assert order(**changes).status_code == status
    SagaInstance.objects.update(lease_until=DatabaseNow())
    call_command("run_worker", once=True)
    response = order()
    assert response.status_code == 201 and response["Idempotent-Replayed"] == "true"
    assert response.json()["order_id"] == str(Order.objects.get().pk) and available("book-123") == 99


def test_a_key_costs_three_statements_and_no_commit(order, api, style):
    def writes(act):
        with CaptureQueriesContext(connection) as queries:
            assert act().status_code == 201
        sql = [query["sql"] for query in queries]
        return sql.count("COMMIT"), [line for line in sql if "idempotency_keys" in line]

    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style}
    keyless_commits, keyless = writes(lambda: api.post("/orders", body))
    commits, keyed = writes(order)
    assert commits == keyless_commits and not keyless
    assert [line.split()[0] for line in keyed] == ["SELECT", "INSERT", "UPDATE"]


def test_a_repeated_cancellation_gets_the_same_response(api, order):
    path = f"/orders/{order().json()['order_id']}/cancel"
    responses = [api.post(path, {"reason": "no"}, headers={"Idempotency-Key": "key-2"}) for _ in range(2)]
    assert content(responses[0]) == content(responses[1]) and responses[1]["Idempotent-Replayed"] == "true"
    other = api.post(path, {"reason": "yes"}, headers={"Idempotency-Key": "key-2"})
    assert other.status_code == 422
    assert order().json()["status"] == "completed"


@known_bug("medusa#14758")
def test_an_interrupted_command_can_be_repeated_after_a_minute(api, order):
    path = f"/orders/{order().json()['order_id']}/cancel"
    api.post(path, headers={"Idempotency-Key": "key-2"})
    interrupted = IdempotencyKey.objects.filter(order_id=None)
    interrupted.update(status_code=None, body="")
    assert api.post(path, headers={"Idempotency-Key": "key-2"}).json()["code"] == "idempotency_key_in_use"
    interrupted.update(created_at="2020-01-01T00:00Z")
    assert api.post(path, headers={"Idempotency-Key": "key-2"}).status_code == 200
    assert interrupted.get().status_code == 200


def test_expired_keys_are_purged_in_batches(order, capsys):
    for number in range(5):
        order(f"key-{number}")
    expired = list(IdempotencyKey.objects.values_list("pk", flat=True)[:3])
    IdempotencyKey.objects.filter(pk__in=expired).update(expires_at=DatabaseNow())
    call_command("purge_idempotency_keys", batch=2)
    assert capsys.readouterr().out == "3 keys deleted\n"
    assert IdempotencyKey.objects.count() == 2


def test_a_command_that_was_refused_for_now_may_be_repeated_with_its_key(api, operator, order, monkeypatch):
    client, order_id = signed_in(operator), order().json()["order_id"]
    SagaInstance.objects.update(status="STOCK_RESERVED", lease_until=DatabaseNow() + timedelta(minutes=1))
    path, key = f"/saga/{order_id}/retry", {"Idempotency-Key": "key-3"}
    assert client.post(path, headers=key).json()["code"] == "saga_running"
    SagaInstance.objects.update(status="COMPLETED")
    assert client.post(path, headers=key).status_code == 200


def test_a_refusal_that_is_caused_by_the_same_request_gets_its_response(api, shelve, style, monkeypatch):
    """Two requests with one key want the last copy: the slower one finds none, because the faster one has it."""
    shelve("last", 1)
    body = {"book_id": "last", "quantity": 1, "payment_method": "credit_card", "saga": style}
    find_books, faster = inventory_selectors.find_books, []

    def send():
        return api.post("/orders", body, headers={"Idempotency-Key": "twins"})

    def find_after_the_faster_one(*args):
        monkeypatch.setattr(inventory_selectors, "find_books", find_books)
        faster.append(send())
        return find_books(*args)

    monkeypatch.setattr(inventory_selectors, "find_books", find_after_the_faster_one)
    slower = send()
    assert (faster[0].status_code, slower.status_code) == (201, 201)
    assert slower["Idempotent-Replayed"] == "true" and slower.json() == faster[0].json()
    assert Order.objects.count() == 1
