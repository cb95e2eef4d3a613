"""The operations of the providers, and their rules: each is carried out once, however often it is repeated."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from hashlib import sha256
from uuid import uuid4

from cloudmart.kernel.text import LONGEST_REFERENCE, storable
from cloudmart.providers.magic import Behaviour, Refusal, behaviour_of_postal_code, behaviour_of_token
from cloudmart.providers.odd_texts import worded
from cloudmart.providers.wallets import Wallet, paying_wallet, wallet_named
from cloudmart.sandbox.ledger import Page, Response
from cloudmart.sandbox.parcels import DELIVERED, SHIPPED, Parcels
from cloudmart.sandbox.wallets import Account, give_back

REFUSED = 402


def refused(refusal: Refusal) -> Response:
    return Response(REFUSED, {"code": refusal.reason, "detail": refusal.detail})


NOT_TAKEN = Response(503, {"code": "not_taken", "detail": "Nothing was done."})
KEY_REUSED = Response(422, {"code": "key_reused", "detail": "The key belongs to another request."})
VOIDED = refused(Refusal("dropped", "The charge was voided."))
CANCELLED = refused(Refusal("called_off", "The parcel was cancelled."))
COLLECTED = refused(Refusal("already_shipped", "The parcel was collected already."))
NO_SUCH_CHARGE = refused(Refusal("no_such_charge", "There is no such charge."))
TOO_MUCH = refused(Refusal("refund_exceeds_payment", "The amount exceeds what is left of the charge."))


@dataclass(frozen=True, slots=True)
class Operation(ABC):
    """What a request asks for: its parsed body."""

    @property
    def behaviour(self) -> Behaviour:
        return Behaviour()

    @abstractmethod
    def execute(self, page: Page, key: str) -> Response: ...


@dataclass(frozen=True, slots=True)
class Charge(Operation):
    order_id: str
    amount: int
    currency: str
    method: str
    token: str
    customer_id: str = ""

    @property
    def wallet(self) -> Wallet | Refusal | None:
        return paying_wallet(self.method, self.token, self.customer_id)

    @property
    def behaviour(self) -> Behaviour:
        return Behaviour() if isinstance(self.wallet, Refusal) else behaviour_of_token(self.token)

    def execute(self, page: Page, key: str) -> Response:
        refusal = wallet = self.wallet
        if isinstance(wallet, Wallet):
            refusal = Account(page.file, wallet).pay(key, self.amount)
        if isinstance(refusal, Refusal):
            return refused(refusal)
        return _entered(page, "charge", key, key, self.order_id, self.amount)


@dataclass(frozen=True, slots=True)
class Refund(Operation):
    transaction_id: str
    amount: int

    def execute(self, page: Page, key: str) -> Response:
        charge = page.made(key=self.transaction_id, reference=self.transaction_id)
        if charge is None:
            return NO_SUCH_CHARGE
        if self.amount > charge.left:
            return TOO_MUCH
        give_back(page.file, key, charge.key, self.amount)
        return _entered(page, "refund", key, charge.key, charge.order_id, -self.amount)


@dataclass(frozen=True, slots=True)
class Void(Operation):
    charge_key: str

    def execute(self, page: Page, key: str) -> Response:
        return _undone(page, "void", key, self.charge_key, VOIDED)


@dataclass(frozen=True, slots=True)
class TopUp(Operation):
    wallet: str
    amount: int

    def __post_init__(self) -> None:
        if type(self.amount) is not int or self.amount < 1:
            raise ValueError("The amount must be a whole number of minor units, and positive.")

    def execute(self, page: Page, key: str) -> Response:
        account = Account(page.file, wallet_named(self.wallet))
        account.top_up(key, self.amount)
        return Response(200, {"reference": _reference("top_up", key), "balance": account.balance})


@dataclass(frozen=True, slots=True)
class Parcel(Operation):
    order_id: str
    postal_code: str
    address: str
    country: str = ""

    @property
    def behaviour(self) -> Behaviour:
        return behaviour_of_postal_code(self.postal_code)

    def execute(self, page: Page, key: str) -> Response:
        return _entered(page, "parcel", key, key, self.order_id, 1)


@dataclass(frozen=True, slots=True)
class CallOff(Operation):
    parcel_key: str

    def execute(self, page: Page, key: str) -> Response:
        parcel = Parcels(page.file).find(self.parcel_key)
        if parcel and parcel.status in {SHIPPED, DELIVERED}:
            return COLLECTED
        return _undone(page, "call_off", key, self.parcel_key, CANCELLED)


def settle(page: Page, key: str, operation: Operation) -> tuple[Response, bool]:
    """Returns the response to this key, final unless the request is not taken; and whether it is lost on the way."""
    behaviour, fingerprint = operation.behaviour, _fingerprint(operation)
    request = page.arrive(key, fingerprint)
    if request.fingerprint not in {fingerprint, None}:
        return KEY_REUSED, False
    response = request.response
    if response is None and request.attempts <= behaviour.not_taken:
        return NOT_TAKEN, False
    if response is None:
        response = refused(behaviour.refusal) if behaviour.refusal else operation.execute(page, key)
        page.store_response(key, response)
    return response, request.attempts <= behaviour.lost


def worded_response(response: Response, key: str) -> Response:
    """Returns the response with the texts of a refusal as PROVIDER_TEXTS words them."""
    if response.status != REFUSED:
        return response
    return Response(REFUSED, {name: worded(text, key) for name, text in response.body.items()})


def _entered(page: Page, kind: str, key: str, subject: str, order_id: str, amount: int) -> Response:
    """The reference is new each time: a client that sees it twice has received the stored response."""
    reference = _reference(kind, key)
    page.enter(kind, reference, key, subject, order_id, amount)
    return Response(200, {"reference": reference})


def _undone(page: Page, kind: str, key: str, subject: str, refusal: Response) -> Response:
    """Undo what is left of the subject, if it was ever made. From now on it is refused; an earlier refusal stays."""
    response = page.known(subject).response
    if response is None or response.status != REFUSED:
        page.store_response(subject, refusal)
    made = page.made(key=subject)
    if made and made.left:
        give_back(page.file, key, made.key, made.left)
        return _entered(page, kind, key, subject, made.order_id, -made.left)
    return Response(200, {"reference": _reference(kind, key)})


def _reference(kind: str, key: str) -> str:
    """Storable as it is, however odd: otherwise no client could send it back."""
    return storable(worded(f"{kind}_{uuid4().hex}", key), LONGEST_REFERENCE)


def _fingerprint(operation: Operation) -> str:
    """Equal for the same request. It does not reveal a payment token."""
    return sha256(f"{type(operation).__name__} {json.dumps(asdict(operation))}".encode()).hexdigest()
