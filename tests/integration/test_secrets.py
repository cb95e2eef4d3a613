"""No token stands in a log line, however an order ends."""

import logging

import pytest

from cloudmart.kernel.confidential import conceal, conceal_nothing, concealed
from cloudmart.kernel.remote import OutcomeUnknown, ProviderUnavailable, Refused
from orders.models import SagaStyle
from payments.errors import PaymentDeclined
from payments.gateways.mock import MockGateway
from sagas.models import SagaInstance
from tests.conftest import facts

TOKEN = "tok_4242-distinctive"


def declined(self, key, **charge):
    return Refused(PaymentDeclined(reason="insufficient_funds"))


def unavailable(self, key, **charge):
    raise ProviderUnavailable("down")


def unknown(self, key, **charge):
    raise OutcomeUnknown("no answer")


def unforeseen(self, key, **charge):
    raise ZeroDivisionError(f"{charge['token']} is no card, says the adapter in {charge!r}")


@pytest.mark.parametrize("style", SagaStyle)
@pytest.mark.parametrize(
    ("charge", "status"),
    [(MockGateway.charge, 201), (declined, 402), (unavailable, 402), (unknown, 202), (unforeseen, 500)],
)
def test_no_token_is_logged(api, shelve, monkeypatch, lines, capfd, caplog, style, charge, status):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(MockGateway, "charge", charge)
    shelve("book-123", 3)
    api.raise_request_exception = False
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "payment_token": TOKEN}
    answer = api.post("/orders", {**body, "saga": style})
    assert answer.status_code == status
    bearer = api._credentials["HTTP_AUTHORIZATION"].split()[1]
    logged = f"{lines()}{capfd.readouterr()}"
    assert '"status": ' in logged or "'status': " in logged
    assert TOKEN not in logged and bearer not in logged
    assert TOKEN not in answer.content.decode()


@pytest.mark.parametrize("style", SagaStyle)
def test_what_is_logged_while_a_saga_is_driven_says_whose_it_is(api, shelve, monkeypatch, lines, style):
    def loud(self, key, **charge):
        logging.getLogger("cloudmart.kernel").warning("hear me")
        raise OutcomeUnknown("no answer")

    monkeypatch.setattr(MockGateway, "charge", loud)
    shelve("book-123", 3)
    body = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money", "saga": style}
    order = api.post("/orders", body, headers={"X-Request-ID": "mine"}).json()
    saga = SagaInstance.objects.get()
    whose = {"order_id": order["order_id"], "saga_id": str(saga.pk), "request_id": "mine"}
    driven = [line for line in lines() if line["level"] == "warning"]
    assert {line["event"] for line in driven} >= {"hear me"}
    assert any("waits" in line["event"] for line in driven)
    assert all(line.items() >= whose.items() for line in driven)
    assert lines()[-1]["event"] == "request" and "order_id" not in lines()[-1]


def test_an_order_does_not_show_its_token():
    assert TOKEN not in repr(facts(("book-123", 1), payment_token=TOKEN))


def test_short_words_are_no_secrets_and_old_secrets_are_forgotten():
    conceal_nothing()
    conceal("a")
    conceal(TOKEN)
    assert concealed(f"a card {TOKEN}") == "a card ***"
    for number in range(100):
        conceal(f"secret-{number}")
    assert concealed(f"{TOKEN} secret-99") == f"{TOKEN} ***"
    conceal_nothing()
    assert concealed("secret-99") == "secret-99"
