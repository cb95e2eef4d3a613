"""Orders that are paid with e-money, in both styles: the wallet's balance and limits, and what is given back."""

import pytest

from cloudmart.kernel.ids import new_id
from cloudmart.providers.odd_texts import PLAIN
from cloudmart.providers.wallets import own_wallet, wallet_named
from payments.audit import left_of_charges
from payments.gateways.port import gateway
from tests.acceptance.conftest import end_of, money_kept
from tests.conftest import available, signed_in
from tests.sandbox import CLIENT

pytestmark = pytest.mark.any_database

NOWHERE = {"shipping_address": "999-9999 Nowhere"}


@pytest.fixture(autouse=True)
def plain_texts(settings):
    settings.PROVIDER_TEXTS = PLAIN


@pytest.fixture
def pay(place, shelve):
    """Orders one copy at 1,100 with tax, with this token."""
    shelve("book-123", 5)
    return lambda token="", **more: place(("book-123", 1), payment_method="e_money", payment_token=token, **more)


def balance(name):
    return gateway().balance_of(wallet_named(name))


def test_an_order_is_paid_from_the_wallet(pay):
    order = pay("wallet_balance_2000")
    assert order.status_code == 201 and money_kept(order.json()["order_id"]) == 1100
    assert balance("wallet_balance_2000") == 900


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"token": "wallet_balance_1099"}, "insufficient_balance"),
        ({"token": "wallet_limit_1099"}, "limit_exceeded"),
        ({"token": "tok_ok"}, "wrong_payment_method"),
    ],
)
def test_a_refusal_of_the_wallet_undoes_the_order(pay, more, reason):
    refused = pay(**more)
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["reason"]) == (402, "payment_declined", reason)
    assert end_of(problem["order_id"]) == ("cancelled", 0, 0, [("book-123", 5, 0)])
    assert available("book-123") == 5


def test_the_token_of_a_wallet_pays_no_card_order(place, shelve):
    shelve("book-123", 1)
    problem = place(("book-123", 1), payment_token="wallet_mine").json()
    assert (problem["code"], problem["reason"]) == ("payment_declined", "wrong_payment_method")
    assert available("book-123") == 1


def test_a_daily_limit_ends_with_the_order_that_exceeds_it(pay, settings):
    settings.WALLET_DAILY_LIMIT = 2000
    assert pay("wallet_mine").status_code == 201
    assert pay("wallet_mine").json()["reason"] == "limit_exceeded"
    assert pay("wallet_another").status_code == 201


def test_the_customers_own_wallet_pays_without_a_token(place, shelve, settings):
    shelve("book-123", 1)
    assert place(("book-123", 1), payment_method="e_money").status_code == 201
    assert balance(own_wallet("customer-001")) == settings.WALLET_BALANCE - 1100


def test_what_cannot_be_shipped_is_given_back_to_the_wallet(pay):
    failed = pay("wallet_balance_2000", **NOWHERE)
    assert failed.json()["code"] == "shipping_failed"
    assert balance("wallet_balance_2000") == 2000


def test_a_partial_refund_and_a_cancellation_are_given_back_to_the_wallet(pay, api, operator):
    order_id = pay("wallet_balance_2000").json()["order_id"]
    desk, part = signed_in(operator), {"order_id": order_id, "amount": 100, "reference": "stain-1"}
    for _ in range(2):
        assert desk.post("/payments/refund", part).status_code == 200
        assert balance("wallet_balance_2000") == 1000
    assert api.post(f"/orders/{order_id}/cancel").status_code == 200
    assert balance("wallet_balance_2000") == 2000


@pytest.mark.parametrize("trick", ["unavailable_2", "timeout_1"])
def test_a_wallet_whose_provider_fails_pays_once(pay, settings, trick):
    assert pay(f"wallet_{trick}").status_code == 201
    assert balance(f"wallet_{trick}") == settings.WALLET_BALANCE - 1100


def test_the_sandbox_keeps_the_balance_and_its_ledger_agrees_with_our_records(outside, pay):
    token = f"wallet_balance_2000_{new_id().hex}"
    wallet = f"{outside.url}/wallets/{token}"

    def balance():
        return CLIENT.get(wallet).json()["balance"]

    assert balance() == 2000
    assert pay(token, **NOWHERE).status_code == 409 and balance() == 2000
    assert pay(token).status_code == 201 and balance() == 900
    assert pay(token).status_code == 402 and balance() == 900
    for _ in range(2):
        topped_up = CLIENT.post(f"{wallet}/top-ups", json={"amount": 200}, headers={"Idempotency-Key": token})
        assert topped_up.json()["balance"] == 1100
    assert pay(token).status_code == 201 and balance() == 0
    outside.turn("payments", drop_after=1)
    assert pay(token).status_code == 402 and balance() == 0
    left = gateway().ledger()
    assert all(least <= left.get(key, 0) <= most for key, least, most in left_of_charges())
