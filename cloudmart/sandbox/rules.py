"""What the providers can be asked for, and by which rules they do it: once, whatever is repeated."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from hashlib import sha256
from uuid import uuid4

from cloudmart.kernel.text import LONGEST_REFERENCE, storable
from cloudmart.providers.magic import Fate, Refusal, fate_of_postal_code, fate_of_token
from cloudmart.providers.odd_texts import said
from cloudmart.sandbox.ledger import Answer, Page

REFUSED = 402


def refused(refusal: Refusal) -> Answer:
    return Answer(REFUSED, {"code": refusal.reason, "detail": refusal.detail})


NOT_TAKEN = Answer(503, {"code": "not_taken", "detail": "Nothing was done."})
KEY_REUSED = Answer(422, {"code": "key_reused", "detail": "The key belongs to another request."})
DROPPED = refused(Refusal("dropped", "The charge was dropped."))
CALLED_OFF = refused(Refusal("called_off", "The parcel was called off."))
NO_SUCH_CHARGE = refused(Refusal("no_such_charge", "There is no such charge."))
TOO_MUCH = refused(Refusal("refund_exceeds_payment", "No more can be refunded than is left of the charge."))


@dataclass(frozen=True, slots=True)
class Wish(ABC):
    """What a request asks for: its body, read."""

    @property
    def fate(self) -> Fate:
        return Fate()

    @abstractmethod
    def fulfil(self, page: Page, key: str) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Charge(Wish):
    order_id: str
    amount: int
    currency: str
    method: str
    token: str

    @property
    def fate(self) -> Fate:
        return fate_of_token(self.token)

    def fulfil(self, page: Page, key: str) -> Answer:
        return _entered(page, "charge", key, key, self.order_id, self.amount)


@dataclass(frozen=True, slots=True)
class Refund(Wish):
    transaction_id: str
    amount: int

    def fulfil(self, page: Page, key: str) -> Answer:
        charge = page.made(key=self.transaction_id, reference=self.transaction_id)
        if charge is None:
            return NO_SUCH_CHARGE
        if self.amount > charge.left:
            return TOO_MUCH
        return _entered(page, "refund", key, charge.key, charge.order_id, -self.amount)


@dataclass(frozen=True, slots=True)
class Void(Wish):
    charge_key: str

    def fulfil(self, page: Page, key: str) -> Answer:
        return _barred(page, "void", key, self.charge_key, DROPPED)


@dataclass(frozen=True, slots=True)
class Parcel(Wish):
    order_id: str
    postal_code: str
    address: str
    country: str = ""

    @property
    def fate(self) -> Fate:
        return fate_of_postal_code(self.postal_code)

    def fulfil(self, page: Page, key: str) -> Answer:
        return _entered(page, "parcel", key, key, self.order_id, 1)


@dataclass(frozen=True, slots=True)
class CallOff(Wish):
    parcel_key: str

    def fulfil(self, page: Page, key: str) -> Answer:
        return _barred(page, "call_off", key, self.parcel_key, CALLED_OFF)


def settle(page: Page, key: str, wish: Wish) -> tuple[Answer, bool]:
    """The answer to this key, as it was before, or now for good unless the request is not taken; and is it lost?"""
    fate, fingerprint = wish.fate, _fingerprint(wish)
    request = page.arrive(key, fingerprint)
    if request.fingerprint not in {fingerprint, None}:
        return KEY_REUSED, False
    answer = request.answer
    if answer is None and request.tries <= fate.not_taken:
        return NOT_TAKEN, False
    if answer is None:
        answer = refused(fate.refusal) if fate.refusal else wish.fulfil(page, key)
        page.answer(key, answer)
    return answer, request.tries <= fate.lost


def as_said(answer: Answer, key: str) -> Answer:
    """The answer to this key, a refusal in the provider's own way to say it."""
    if answer.status != REFUSED:
        return answer
    return Answer(REFUSED, {name: said(text, key) for name, text in answer.body.items()})


def _entered(page: Page, kind: str, key: str, subject: str, order_id: str, amount: int) -> Answer:
    """The reference is new each time: whoever sees it twice has been told what was done the first time."""
    reference = _reference(kind, key)
    page.enter(kind, reference, key, subject, order_id, amount)
    return Answer(200, {"reference": reference})


def _barred(page: Page, kind: str, key: str, subject: str, verdict: Answer) -> Answer:
    """Undo what is left of the subject, if it was ever made; from now on it is refused."""
    page.answer(subject, verdict)
    made = page.made(key=subject)
    if made and made.left:
        return _entered(page, kind, key, subject, made.order_id, -made.left)
    return Answer(200, {"reference": _reference(kind, key)})


def _reference(kind: str, key: str) -> str:
    """However odd it is, it comes back as it went: else nobody could ask for what it names."""
    return storable(said(f"{kind}_{uuid4().hex}", key), LONGEST_REFERENCE)


def _fingerprint(wish: Wish) -> str:
    """Equal for the same request. It shows no payment token."""
    return sha256(f"{type(wish).__name__} {json.dumps(asdict(wish))}".encode()).hexdigest()
