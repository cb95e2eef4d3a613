"""A payment provider that is steered by magic tokens, and takes no money."""

import time
from uuid import UUID

from cloudmart.providers.magic import Refusal, fate_of_token
from cloudmart.providers.mock import MockProvider, accepted, allowed, refused
from cloudmart.providers.remote import Outcome, OutcomeUnknown, ProviderUnavailable, Refused
from payments.errors import PaymentDeclined

DROPPED = Refusal("dropped", "The charge was dropped.")


class MockGateway(MockProvider):
    """Any token is good, except the magic ones where they are allowed."""

    def charge(self, key: str, *, order_id: UUID, amount: int, currency: str, method: str, token: str) -> Outcome:
        attempt = self._note("charge", key)
        if isinstance(known := self.lookup(key), Refused):
            return known
        fate = allowed(fate_of_token(token))
        if no := fate.refusal:
            return self._answer(key, refused(PaymentDeclined, no, key))
        if attempt <= fate.not_taken:
            raise ProviderUnavailable(f"try {attempt}")
        time.sleep(fate.slow)
        outcome = self._answer(key, accepted("txn", key))
        if attempt <= fate.lost:
            raise OutcomeUnknown(f"try {attempt}")
        return outcome

    def cancel(self, key: str, *, charge_key: str) -> Outcome:
        self._note("cancel", key)
        self._answer(charge_key, refused(PaymentDeclined, DROPPED, charge_key))
        return self._answer(key, accepted("void", key))

    def refund(self, key: str, *, transaction_id: str, amount: int) -> Outcome:
        self._note("refund", key)
        return self._answer(key, accepted("re", key))
