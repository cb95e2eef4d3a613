"""Magic values: payment tokens and postal codes that make the mocks and the sandbox refuse, fail or delay."""

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a provider refuses a request."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a provider treats a request. By default, it accepts it at once."""

    refusal: Refusal | None = None
    not_taken: float = 0
    """The number of first attempts that are not taken."""
    lost: int = 0
    """The number of first attempts whose response is lost, though the request is carried out."""
    slow: float = 0
    """Seconds before the request is carried out."""


DECLINED = {
    "tok_insufficient_funds": Refusal("insufficient_funds", "The account has not enough funds."),
    "tok_expired_card": Refusal("expired_card", "The card has expired."),
}
TRICK = re.compile(r"(tok|wallet)_(?P<trick>unavailable|timeout|slow)_(?P<number>\d{1,5})")
LONGEST = 10
"""The most seconds that a slow request takes: it holds a thread."""


def behaviour_of_token(token: str) -> Behaviour:
    """The token of any card is accepted, except:

    - `tok_insufficient_funds` and `tok_expired_card` are declined;
    - `tok_unavailable_N` is not taken N times, then accepted;
    - `tok_timeout_N` charges at once, but its response is lost N times;
    - `tok_slow_MS` charges after MS milliseconds, at most LONGEST seconds.

    `wallet_unavailable_N`, `wallet_timeout_N` and `wallet_slow_MS` do the same with wallets, whose balances and limits
    are those of cloudmart.providers.wallets.
    """
    if token in DECLINED:
        return Behaviour(refusal=DECLINED[token])
    magic = TRICK.fullmatch(token)
    trick, number = magic.group("trick", "number") if magic else ("", 0)
    match trick:
        case "unavailable":
            return Behaviour(not_taken=int(number))
        case "timeout":
            return Behaviour(lost=int(number))
        case "slow":
            return Behaviour(slow=min(int(number) / 1000, LONGEST))
    return Behaviour()


def behaviour_of_postal_code(code: str) -> Behaviour:
    """Every postal code is served, except:

    - `000-0000` is refused: the carrier does not deliver there;
    - `999-9999` is never taken: the carrier is down;
    - `998-000N` is not taken N times, then accepted.
    """
    if code == "000-0000":
        return Behaviour(refusal=Refusal("not_served", "The carrier does not go there."))
    if code == "999-9999":
        return Behaviour(not_taken=math.inf)
    failing = re.fullmatch(r"998-000(\d)", code)
    return Behaviour(not_taken=int(failing[1])) if failing else Behaviour()
