"""E-money at the mock gateway and in the sandbox, which follow the same rules: no wallet is overdrawn."""

from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, BrokenBarrierError

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cloudmart.kernel.ids import new_id
from cloudmart.providers.odd_texts import PLAIN
from cloudmart.providers.outcomes import Accepted
from cloudmart.providers.wallets import Wallet, own_wallet, paying_wallet, wallet_named
from cloudmart.sandbox import wallets
from cloudmart.sandbox.knobs import Board, Knobs
from cloudmart.sandbox.ledger import Ledger, entries_in, live, reading
from cloudmart.sandbox.providers import Provider
from cloudmart.sandbox.rules import Charge, Refund, TopUp, Void
from cloudmart.sandbox.wallets import Account
from payments.gateways import mock
from payments.gateways.mock import MockGateway
from tests.integration.test_races import all_at_once

pytestmark = pytest.mark.any_database

ORDER = new_id()
WALLET = "wallet_balance_2000"


@pytest.fixture(autouse=True)
def plain_texts(settings):
    settings.PROVIDER_TEXTS = PLAIN
    settings.ALLOW_MAGIC_TOKENS = True


class Sandbox:
    """The sandbox's payment gateway, without HTTP, used as the mock is."""

    def __init__(self, folder):
        self.path = Path(folder) / "ledger.sqlite3"
        self.ledger = Ledger(self.path)
        self.provider = Provider("payments", self.ledger, Board(Knobs()))

    def charge(self, key, *, token=WALLET, amount=1100, method="e_money", customer_id="customer-001"):
        return self.outcome(key, Charge(str(ORDER), amount, "JPY", method, token, customer_id))

    def refund(self, key, charge, amount):
        return self.outcome(key, Refund(charge, amount))

    def void(self, key, charge):
        return self.outcome(key, Void(charge))

    def outcome(self, key, operation):
        """Returns "" if the request is accepted, else the reason why not."""
        response = self.provider.take(key, operation)
        return "" if response.status == 200 else response.body["code"]

    def balance(self, name=WALLET):
        with reading(self.path) as file:
            return Account(file, wallet_named(name)).balance


class Mock:
    def __init__(self, folder):
        self.gateway = MockGateway()

    def charge(self, key, *, token=WALLET, amount=1100, method="e_money", customer_id="customer-001"):
        body = {"order_id": ORDER, "customer_id": customer_id, "currency": "JPY", "method": method, "token": token}
        return self.reason(self.gateway.charge(key, amount=amount, **body))

    def refund(self, key, charge, amount):
        outcome = self.gateway.lookup(charge)
        reference = outcome.reference if isinstance(outcome, Accepted) else charge
        return self.reason(self.gateway.refund(key, transaction_id=reference, amount=amount))

    def void(self, key, charge):
        return self.reason(self.gateway.cancel(key, charge_key=charge))

    def reason(self, outcome):
        return "" if isinstance(outcome, Accepted) else outcome.reason

    def balance(self, name=WALLET):
        return self.gateway.balance_of(wallet_named(name))


@pytest.fixture(params=[Mock, Sandbox], ids=["mock", "sandbox"])
def gateway(request, tmp_path):
    return request.param(tmp_path)


# --- What a wallet pays and gets back -------------------------------------------------------------


def test_a_charge_debits_the_wallet_once(gateway):
    assert [gateway.charge("key") for _ in range(3)] == ["", "", ""]
    assert gateway.balance() == 900


def test_a_wallet_pays_no_more_than_it_has(gateway):
    assert gateway.charge("first") == ""
    assert gateway.charge("second") == gateway.charge("second") == "insufficient_balance"
    assert gateway.balance() == 900
    assert gateway.charge("third", amount=900) == "" and gateway.balance() == 0


def test_a_refusal_is_final_though_the_money_comes_back(gateway):
    gateway.charge("first")
    assert gateway.charge("second") == "insufficient_balance"
    gateway.refund("refund", "first", 1100)
    assert gateway.charge("second") == "insufficient_balance"
    assert gateway.charge("new key") == ""


def test_a_refusal_stays_after_a_void(gateway):
    assert gateway.charge("key", amount=2001) == "insufficient_balance"
    assert gateway.void("void", "key") == ""
    assert gateway.charge("key", amount=2001) == "insufficient_balance"


def test_refunds_credit_the_wallet_once_each(gateway):
    gateway.charge("key")
    for _ in range(2):
        assert gateway.refund("part", "key", 100) == gateway.refund("rest", "key", 1000) == ""
    assert gateway.balance() == 2000


@pytest.mark.parametrize("refunded", [0, 100])
def test_a_void_credits_what_is_left(gateway, refunded):
    gateway.charge("key")
    if refunded:
        gateway.refund("refund", "key", refunded)
    for _ in range(2):
        assert gateway.void("void", "key") == ""
    assert gateway.balance() == 2000


def test_a_charge_that_is_voided_before_it_arrives_debits_nothing(gateway):
    assert gateway.void("void", "key") == ""
    assert gateway.charge("key") == "dropped" and gateway.balance() == 2000


def test_a_wallet_pays_no_more_at_once_than_its_limit(gateway, settings):
    assert gateway.charge("key", token="wallet_limit_1000") == "limit_exceeded"
    assert gateway.charge("less", token="wallet_limit_1000", amount=1000) == ""
    settings.WALLET_LIMIT = 500
    assert gateway.charge("more") == "limit_exceeded" and gateway.balance() == 2000


def test_a_wallet_pays_no_more_on_a_day_than_its_limit(gateway, settings):
    settings.WALLET_DAILY_LIMIT = 1500
    assert gateway.charge("first") == ""
    assert gateway.charge("second", amount=401) == "limit_exceeded"
    gateway.refund("refund", "first", 100)
    assert gateway.charge("third", amount=500) == "" and gateway.balance() == 500


def test_what_was_paid_yesterday_does_not_count_today(gateway, settings, monkeypatch):
    settings.WALLET_DAILY_LIMIT = 1500
    now = wallets.datetime.now(wallets.UTC)

    class Clock:
        @staticmethod
        def now(zone):
            return now

    monkeypatch.setattr(wallets, "datetime", Clock)
    monkeypatch.setattr(mock, "datetime", Clock)
    assert gateway.charge("first") == ""
    now = now.replace(year=now.year + 1)
    gateway.refund("refund", "first", 1000)
    assert gateway.charge("second", amount=1501) == "limit_exceeded"
    assert gateway.charge("third", amount=1500) == ""


def test_the_customers_own_wallet_pays_where_no_token_names_another(gateway, settings):
    assert gateway.charge("key", token="") == ""
    assert gateway.balance(own_wallet("customer-001")) == settings.WALLET_BALANCE - 1100
    assert gateway.balance(own_wallet("customer-002")) == settings.WALLET_BALANCE
    assert gateway.charge("nobody's", token="", customer_id="") == "no_wallet"


@pytest.mark.parametrize(
    ("method", "token"), [("e_money", "tok_ok"), ("e_money", "tok_expired_card"), ("credit_card", WALLET)]
)
def test_a_token_of_the_other_method_is_refused(gateway, method, token):
    assert gateway.charge("key", method=method, token=token) == "wrong_payment_method"
    assert gateway.balance() == 2000


def test_a_card_pays_whatever_the_wallet_has(gateway):
    assert gateway.charge("key", method="credit_card", token="tok_ok", amount=10**9) == ""


def test_the_terms_of_a_wallet_are_magic_only_where_that_is_allowed():
    assert paying_wallet("e_money", "wallet_balance_5_of_mine", "").opening_balance == 5
    assert paying_wallet("e_money", "wallet_limit_7", "").limit == 7
    ordinary = paying_wallet("e_money", "wallet_balance_5", "", magic=False)
    assert ordinary == replace(wallet_named("wallet_any"), name="wallet_balance_5")


# --- The sandbox's wallets ------------------------------------------------------------------------


def test_a_wallet_is_topped_up_once_and_keeps_the_balance_that_it_was_opened_with(tmp_path, settings):
    sandbox = Sandbox(tmp_path)
    opening = settings.WALLET_BALANCE
    for _ in range(2):
        assert sandbox.outcome("top-up", TopUp("wallet_mine", 500)) == ""
    settings.WALLET_BALANCE = 1
    assert sandbox.balance("wallet_mine") == opening + 500
    assert sandbox.balance("wallet_another") == 1


@pytest.mark.parametrize("amount", [0, -1, 1.5, "100", True, None])
def test_a_top_up_is_a_positive_number_of_minor_units(amount):
    with pytest.raises(ValueError):
        TopUp("wallet_mine", amount)


# --- Races ----------------------------------------------------------------------------------------


@pytest.fixture
def meeting(monkeypatch):
    """A charge that has read the balance waits for another one to read it too, which the lock prevents."""
    both_have_read, refusal_of = Barrier(2), Wallet.refusal_of

    def refusal_after_the_meeting(*terms):
        with suppress(BrokenBarrierError):
            both_have_read.wait(timeout=0.2)
        return refusal_of(*terms)

    monkeypatch.setattr(Wallet, "refusal_of", refusal_after_the_meeting)


@pytest.mark.usefixtures("meeting")
def test_charges_at_once_never_overdraw(gateway):
    results = all_at_once([lambda key=f"key-{n}": gateway.charge(key, amount=600) for n in range(8)])
    assert sorted(results) == [""] * 3 + ["insufficient_balance"] * 5
    assert gateway.balance() == 200


def test_a_charge_a_refund_and_a_void_that_come_twice_at_once_count_once(gateway):
    assert "" in all_at_once([lambda: gateway.charge("key")] * 4)
    assert gateway.balance() == 900
    all_at_once([lambda: gateway.refund("refund", "key", 300)] * 4)
    assert gateway.balance() == 1200
    all_at_once([lambda: gateway.void("void", "key")] * 4)
    assert gateway.balance() == 2000


# --- Any sequence ---------------------------------------------------------------------------------

KEYS = st.sampled_from([f"charge-{n}" for n in range(4)])
AMOUNTS = st.integers(1, 1500)


class BothGateways(RuleBasedStateMachine):
    """The mock and the sandbox have the same outcomes and balances, and the ledger explains the balance."""

    @initialize()
    def start(self):
        self.folder = TemporaryDirectory()
        self.sandbox, self.mock = Sandbox(self.folder.name), Mock(self.folder.name)
        self.amounts, self.numbers, self.voided = {}, count(), set()

    @rule(key=KEYS, amount=AMOUNTS)
    def charge(self, key, amount):
        amount = self.amounts.setdefault(key, amount)
        assert self.sandbox.charge(key, amount=amount) == self.mock.charge(key, amount=amount)

    @rule(key=KEYS, amount=AMOUNTS)
    def refund(self, key, amount):
        if amount <= self.left().get(key, 0):
            refund = f"refund-{next(self.numbers)}"
            for _ in range(2):
                assert self.sandbox.refund(refund, key, amount) == self.mock.refund(refund, key, amount) == ""

    @rule(key=KEYS)
    def void(self, key):
        assert self.sandbox.void(f"void-{key}", key) == self.mock.void(f"void-{key}", key) == ""

    def left(self):
        return {key: left for (_, _, key), left in live(entries_in(self.sandbox.path)).items()}

    @invariant()
    def the_balance_is_what_was_not_paid(self):
        assert self.sandbox.balance() == self.mock.balance() == 2000 - sum(self.left().values()) >= 0

    def teardown(self):
        self.sandbox.ledger.close()
        self.folder.cleanup()


BothGateways.TestCase.settings = hypothesis_settings(max_examples=15, stateful_step_count=12, deadline=None)
TestBothGateways = BothGateways.TestCase
