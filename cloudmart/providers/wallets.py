"""E-money at the mock gateway and the sandbox: whose wallet pays, what it has to begin with, what it refuses."""

import re
from dataclasses import dataclass

from django.conf import settings

from cloudmart.kernel.order import PaymentMethod
from cloudmart.providers.magic import Refusal

TOKEN = "wallet_"  # noqa: S105, the beginning of such a token
"""How the token of a wallet begins. Any other token is a card's."""

NO_WALLET = Refusal("no_wallet", "E-money needs the token of a wallet, or a customer.")
WRONG_METHOD = Refusal("wrong_payment_method", "The payment token belongs to another payment method.")
INSUFFICIENT_BALANCE = Refusal("insufficient_balance", "The balance of the wallet is too low.")
LIMIT_EXCEEDED = Refusal("limit_exceeded", "The amount exceeds what the wallet may pay at once.")
DAILY_LIMIT_EXCEEDED = Refusal("limit_exceeded", "The amount exceeds what the wallet may still pay today.")

MAGIC = re.compile(r"wallet_(?P<term>balance|limit)_(?P<number>\d{1,12})(_\w+)?")


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet and its terms, in minor units. A limit of 0 is none."""

    name: str
    opening_balance: int
    limit: int
    daily_limit: int

    def refusal_of(self, amount: int, balance: int, paid_today: int) -> Refusal | None:
        """Returns why the wallet does not pay this amount; None if it does."""
        if self.limit and amount > self.limit:
            return LIMIT_EXCEEDED
        if self.daily_limit and paid_today + amount > self.daily_limit:
            return DAILY_LIMIT_EXCEEDED
        return INSUFFICIENT_BALANCE if amount > balance else None


def paying_wallet(method: str, token: str, customer_id: str, *, magic: bool = True) -> Wallet | Refusal | None:
    """Returns the wallet that pays: the token's, or without a token the customer's own. None if a card pays.

    Returns a Refusal if there is no such wallet, or if the token belongs to the other payment method.
    """
    is_wallet = method == PaymentMethod.E_MONEY
    if token and token.startswith(TOKEN) is not is_wallet:
        return WRONG_METHOD
    if not is_wallet:
        return None
    return wallet_named(token or own_wallet(customer_id), magic=magic) if token or customer_id else NO_WALLET


def own_wallet(customer_id: str) -> str:
    """The name of the wallet that the gateway has on file for a customer. It is no token."""
    return f"customer:{customer_id}"


def wallet_named(name: str, *, magic: bool = True) -> Wallet:
    """Returns a wallet with the terms of the settings, except:

    - `wallet_balance_N` has N to begin with;
    - `wallet_limit_N` pays at most N at once.

    Both may be followed by `_NAME`, so that there are several of them.
    """
    terms = {"balance": settings.WALLET_BALANCE, "limit": settings.WALLET_LIMIT}
    if magic and (special := MAGIC.fullmatch(name)):
        terms[special["term"]] = int(special["number"])
    return Wallet(name, terms["balance"], terms["limit"], settings.WALLET_DAILY_LIMIT)
