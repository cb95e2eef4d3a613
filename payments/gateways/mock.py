"""A payment provider in this process. It takes no money; magic tokens decide its outcomes."""

from uuid import UUID

from cloudmart.providers.magic import Refusal, behaviour_of_token
from cloudmart.providers.mock import MockProvider, accepted, refused
from cloudmart.providers.outcomes import Outcome
from payments.errors import PaymentDeclined

VOIDED = Refusal("dropped", "The charge was voided.")


class MockGateway(MockProvider):
    """Accepts every token, except the magic ones where they are allowed."""

    def charge(self, key: str, *, order_id: UUID, amount: int, currency: str, method: str, token: str) -> Outcome:
        return self._execute("charge", key, behaviour_of_token(token), "txn", PaymentDeclined)

    def cancel(self, key: str, *, charge_key: str) -> Outcome:
        self._record_call("cancel", key)
        self._store_outcome(charge_key, refused(PaymentDeclined, VOIDED, charge_key))
        return self._store_outcome(key, accepted("void", key))

    def refund(self, key: str, *, transaction_id: str, amount: int) -> Outcome:
        self._record_call("refund", key)
        return self._store_outcome(key, accepted("re", key))
