"""No token appears in a log line, however an order ends, or in the database once its charge is settled."""

import logging

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.redaction import forget_secrets, redacted, register_secret
from cloudmart.providers.outcomes import Accepted, OutcomeUnknown, ProviderUnavailable, Refused
from orders.models import SagaStyle
from payments.errors import PaymentDeclined
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.desk import placing as placement
from sagas.models import SagaInstance
from tests.conftest import order_snapshot, signed_in

TOKEN = "tok_4242-distinctive"


def declined(self, key, **charge):
    return Refused(PaymentDeclined(reason="insufficient_funds"))


def unavailable(self, key, **charge):
    raise ProviderUnavailable("down")


def unknown(self, key, **charge):
    raise OutcomeUnknown("no response")


def unexpected_error(self, key, **charge):
    raise ZeroDivisionError(f"{charge['token']} is not a card: {charge!r}")


@pytest.mark.parametrize("style", SagaStyle)
@pytest.mark.parametrize(
    ("charge", "status"),
    [(MockGateway.charge, 201), (declined, 402), (unavailable, 402), (unknown, 202), (unexpected_error, 500)],
)
def test_no_token_is_logged(api, shelve, monkeypatch, lines, capfd, caplog, style, charge, status):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(MockGateway, "charge", charge)
    shelve("book-123", 3)
    api.raise_request_exception = False
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "payment_token": TOKEN}
    response = api.post("/orders", {**body, "saga": style})
    assert response.status_code == status
    bearer = api._credentials["HTTP_AUTHORIZATION"].split()[1]
    logged = f"{lines()}{capfd.readouterr()}"
    assert '"status": ' in logged or "'status': " in logged
    assert TOKEN not in logged and bearer not in logged
    assert TOKEN not in response.content.decode()


@pytest.mark.parametrize("style", SagaStyle)
def test_log_lines_of_a_saga_contain_its_ids(api, shelve, monkeypatch, lines, style):
    def log_and_fail(self, key, **charge):
        logging.getLogger("cloudmart.kernel").warning("charging")
        raise OutcomeUnknown("no response")

    monkeypatch.setattr(MockGateway, "charge", log_and_fail)
    shelve("book-123", 3)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money", "saga": style}
    order = api.post("/orders", body, headers={"X-Request-ID": "mine"}).json()
    saga = SagaInstance.objects.get()
    ids = {"order_id": order["order_id"], "saga_id": str(saga.pk), "request_id": "mine"}
    driven = [line for line in lines() if line["level"] == "warning"]
    assert {line["event"] for line in driven} >= {"charging"}
    assert any("waits" in line["event"] for line in driven)
    assert all(line.items() >= ids.items() for line in driven)
    assert lines()[-1]["event"] == "request" and "order_id" not in lines()[-1]


def test_an_order_does_not_show_its_token():
    assert TOKEN not in repr(order_snapshot(("book-123", 1), payment_token=TOKEN))


def test_short_texts_are_no_secrets_and_old_secrets_are_forgotten():
    forget_secrets()
    register_secret("a")
    register_secret(TOKEN)
    assert redacted(f"a card {TOKEN}") == "a card ***"
    for number in range(100):
        register_secret(f"secret-{number}")
    assert redacted(f"{TOKEN} secret-99") == f"{TOKEN} ***"
    forget_secrets()
    assert redacted("secret-99") == "secret-99"


def places_of(secret):
    """Returns the columns of all tables that contain `secret`."""
    return {
        f"{model._meta.db_table}.{field.column}"
        for model in apps.get_models()
        for row in model._default_manager.all()
        for field in model._meta.concrete_fields
        if secret in str(field.value_from_object(row))
    }


@pytest.mark.parametrize("style", SagaStyle)
@pytest.mark.parametrize(("charge", "status"), [(MockGateway.charge, 201), (declined, 402), (unavailable, 402)])
def test_a_token_is_stored_only_until_its_charge_is_settled(api, shelve, monkeypatch, style, charge, status):
    seen = []

    def recorded(self, key, **details):
        seen.append((details["token"], places_of(TOKEN)))
        return charge(self, key, **details)

    monkeypatch.setattr(MockGateway, "charge", recorded)
    shelve("book-123", 3)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "payment_token": TOKEN}
    assert api.post("/orders", {**body, "saga": style}, headers={"Idempotency-Key": "key"}).status_code == status
    assert {token for token, _ in seen} == {TOKEN}
    assert seen[0][1] == {"payments.payment_token", "saga_instances.payload"}
    assert places_of(TOKEN) == set()


@pytest.mark.parametrize("style", SagaStyle)
def test_an_order_that_fails_before_its_charge_deletes_its_token(api, shelve, monkeypatch, style):
    """Its books are sold between the availability check and the reservation."""
    monkeypatch.setattr(placement.inventory, "check_availability", lambda books, wanted: None)
    shelve("book-123", 0)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "payment_token": TOKEN}
    assert api.post("/orders", {**body, "saga": style}).json()["code"] == "out_of_stock"
    assert SagaInstance.objects.get().status == "FAILED" and places_of(TOKEN) == set()


@pytest.mark.parametrize("style", SagaStyle)
def test_an_order_that_is_cancelled_during_its_charge_deletes_its_token(api, shelve, monkeypatch, style):
    monkeypatch.setattr(MockGateway, "charge", unknown)
    shelve("book-123", 3)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "payment_token": TOKEN}
    order_id = api.post("/orders", {**body, "saga": style}).json()["order_id"]
    assert places_of(TOKEN) == {"payments.payment_token", "saga_instances.payload"}
    api.post(f"/orders/{order_id}/cancel")
    call_command("run_worker", "--once")
    assert SagaInstance.objects.get().status == "FAILED" and places_of(TOKEN) == set()


def test_a_direct_charge_is_repeated_with_its_own_token_and_deletes_it(operator, monkeypatch):
    order_id, tokens = new_id(), []

    def lose_first_responses(self, key, **details):
        tokens.append(details["token"])
        if len(tokens) <= settings.PROVIDER_TRIES:
            raise OutcomeUnknown("no response")
        return Accepted("txn_1")

    monkeypatch.setattr(MockGateway, "charge", lose_first_responses)
    body = {"order_id": str(order_id), "amount": 1000, "payment_method": "credit_card"}
    client = signed_in(operator)
    assert client.post("/payments/process", {**body, "payment_token": TOKEN}).status_code == 202
    assert places_of(TOKEN) == {"payments.payment_token"}
    assert client.post("/payments/process", {**body, "payment_token": "tok_other"}).json()["status"] == "captured"
    assert set(tokens) == {TOKEN} and places_of(TOKEN) == set()
    order = f"/admin/payments/payment/{Payment.objects.get().pk}/change/"
    client.force_login(operator)
    assert "payment_token" not in client.get(order).content.decode().lower().replace(" ", "_")
