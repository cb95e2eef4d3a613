"""A payment provider in this process. It takes no money; magic tokens decide its outcomes."""

import time
from uuid import UUID

from cloudmart.providers.magic import Refusal, behaviour_of_token
from cloudmart.providers.mock import MockProvider, accepted, allowed, refused
from cloudmart.providers.outcomes import Outcome, OutcomeUnknown, ProviderUnavailable, Refused
from payments.errors import PaymentDeclined

VOIDED = Refusal("dropped", "The charge was voided.")


class MockGateway(MockProvider):
    """Accepts every token, except the magic ones where they are allowed."""

    def charge(self, key: str, *, order_id: UUID, amount: int, currency: str, method: str, token: str) -> Outcome:
        attempt = self._record_call("charge", key)
        if isinstance(known := self.lookup(key), Refused):
            return known
        behaviour = allowed(behaviour_of_token(token))
        if behaviour.refusal:
            return self._store_outcome(key, refused(PaymentDeclined, behaviour.refusal, key))
        if attempt <= behaviour.not_taken:
            raise ProviderUnavailable(f"attempt {attempt}")
        time.sleep(behaviour.slow)
        outcome = self._store_outcome(key, accepted("txn", key))
        if attempt <= behaviour.lost:
            raise OutcomeUnknown(f"attempt {attempt}")
        return outcome

    def cancel(self, key: str, *, charge_key: str) -> Outcome:
        self._record_call("cancel", key)
        self._store_outcome(charge_key, refused(PaymentDeclined, VOIDED, charge_key))
        return self._store_outcome(key, accepted("void", key))

    def refund(self, key: str, *, transaction_id: str, amount: int) -> Outcome:
        self._record_call("refund", key)
        return self._store_outcome(key, accepted("re", key))
