"""A payment provider in this process. It takes no money; wallets and magic tokens decide its outcomes."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from cloudmart.providers.magic import Behaviour, Refusal, behaviour_of_token
from cloudmart.providers.mock import MockProvider, accepted, forget_oldest, refused
from cloudmart.providers.outcomes import Outcome
from cloudmart.providers.wallets import Wallet, paying_wallet
from payments.errors import PaymentDeclined

VOIDED = Refusal("dropped", "The charge was voided.")


class MockGateway(MockProvider):
    """Accepts the token of any card, except the magic ones where they are allowed. Wallets pay what they have."""

    def __init__(self) -> None:
        super().__init__()
        self._balances = Balances()

    def charge(
        self, key: str, *, order_id: UUID, customer_id: str, amount: int, currency: str, method: str, token: str
    ) -> Outcome:
        wallet = paying_wallet(method, token, customer_id, magic=settings.ALLOW_MAGIC_TOKENS)
        behaviour = Behaviour() if isinstance(wallet, Refusal) else behaviour_of_token(token)
        pay = partial(self._pay, wallet, key, amount)
        return self._execute("charge", key, behaviour, "txn", PaymentDeclined, pay)

    def balance_of(self, wallet: Wallet) -> int:
        """Returns what the wallet has, in minor units."""
        return self._balances.of(wallet)

    def _pay(self, wallet: Wallet | Refusal | None, key: str, amount: int) -> Refusal | None:
        if isinstance(wallet, Wallet):
            return self._balances.pay(wallet, key, accepted("txn", key).reference, amount)
        return wallet

    def cancel(self, key: str, *, charge_key: str) -> Outcome:
        self._record_call("cancel", key)
        self._store_outcome(charge_key, refused(PaymentDeclined, VOIDED, charge_key))
        return self._once(key, partial(self._give_back, "void", key, charge_key))

    def refund(self, key: str, *, transaction_id: str, amount: int) -> Outcome:
        self._record_call("refund", key)
        return self._once(key, partial(self._give_back, "re", key, transaction_id, amount))

    def _give_back(self, prefix: str, key: str, charge: str, amount: int | None = None) -> Outcome:
        self._balances.give_back(charge, amount)
        return accepted(prefix, key)


@dataclass(frozen=True, slots=True)
class Paid:
    """What a wallet has paid for a charge, and not got back."""

    wallet: str
    amount: int
    day: date


class Balances:
    """The wallets of this process, of which the oldest are forgotten. The caller keeps other threads out."""

    def __init__(self) -> None:
        self._balances: OrderedDict[str, int] = OrderedDict()
        self._paid: OrderedDict[str, Paid] = OrderedDict()
        self._keys: OrderedDict[str, str] = OrderedDict()

    def of(self, wallet: Wallet) -> int:
        """Returns the balance of a wallet, in minor units."""
        return self._balances.get(wallet.name, wallet.opening_balance)

    def pay(self, wallet: Wallet, key: str, reference: str, amount: int) -> Refusal | None:
        """Takes the amount from the wallet, or returns why not."""
        today = datetime.now(UTC).date()
        balance = self.of(wallet)
        if refusal := wallet.refusal_of(amount, balance, self._paid_on(today, wallet) if wallet.daily_limit else 0):
            return refusal
        self._balances[wallet.name] = balance - amount
        self._paid[key] = Paid(wallet.name, amount, today)
        self._keys[reference] = key
        memories: list[OrderedDict[str, Any]] = [self._balances, self._paid, self._keys]
        for memory in memories:
            forget_oldest(memory)
        return None

    def _paid_on(self, day: date, wallet: Wallet) -> int:
        return sum(paid.amount for paid in self._paid.values() if (paid.wallet, paid.day) == (wallet.name, day))

    def give_back(self, charge: str, amount: int | None) -> None:
        """Returns this much of a charge, or all that is left of it, to its wallet. A card's charge changes nothing."""
        key = self._keys.get(charge, charge)
        if (paid := self._paid.get(key)) and paid.wallet in self._balances:
            returned = paid.amount if amount is None else min(amount, paid.amount)
            self._paid[key] = replace(paid, amount=paid.amount - returned)
            self._balances[paid.wallet] += returned
