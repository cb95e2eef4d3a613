"""Magic values: what becomes of a request with such a payment token or postal code, at the mock as in the sandbox."""

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a provider says no."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a request. Unless it says otherwise, it just works."""

    refusal: Refusal | None = None
    not_taken: float = 0
    """The first so many tries are not taken."""
    lost: int = 0
    """Of the first so many tries the answer is lost, though what they ask for is done."""
    slow: float = 0
    """Seconds before it is done."""


DECLINED = {
    "tok_insufficient_funds": Refusal("insufficient_funds", "The account has not enough funds."),
    "tok_expired_card": Refusal("expired_card", "The card has expired."),
}
TRICK = re.compile(r"tok_(?P<trick>unavailable|timeout|slow)_(?P<number>\d{1,5})")
LONGEST = 10
"""Seconds that a slow one takes at most, whatever it asks for: it holds a thread."""
NOT_SERVED = "000-0000"
DOWN = "999-9999"
FAILING = re.compile(r"998-000(\d)")


def fate_of_token(token: str) -> Fate:
    """Any payment token is good, except:

    - `tok_insufficient_funds` and `tok_expired_card` are declined;
    - `tok_unavailable_N` is not taken N times, then works;
    - `tok_timeout_N` charges at once, but the answer is lost N times;
    - `tok_slow_MS` charges after so many milliseconds, and LONGEST seconds at most.
    """
    if token in DECLINED:
        return Fate(refusal=DECLINED[token])
    magic = TRICK.fullmatch(token)
    trick, number = magic.groups() if magic else ("", 0)
    match trick:
        case "unavailable":
            return Fate(not_taken=int(number))
        case "timeout":
            return Fate(lost=int(number))
        case "slow":
            return Fate(slow=min(int(number) / 1000, LONGEST))
    return Fate()


def fate_of_postal_code(code: str) -> Fate:
    """Every postal code is served, except:

    - `000-0000` is refused: the carrier does not go there;
    - `999-9999` is never taken: the carrier is down;
    - `998-000N` is not taken N times, then works.
    """
    if code == NOT_SERVED:
        return Fate(refusal=Refusal("not_served", "The carrier does not go there."))
    if code == DOWN:
        return Fate(not_taken=math.inf)
    failing = FAILING.fullmatch(code)
    return Fate(not_taken=int(failing[1])) if failing else Fate()
