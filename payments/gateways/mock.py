"""A payment provider that is steered by magic tokens, and takes no money."""

import re
import time

from cloudmart.kernel.mock_provider import MockProvider, accepted
from cloudmart.kernel.remote import Outcome, OutcomeUnknown, ProviderUnavailable, Refused
from payments.errors import PaymentDeclined

DECLINED = {
    "tok_insufficient_funds": PaymentDeclined("The account has not enough funds.", reason="insufficient_funds"),
    "tok_expired_card": PaymentDeclined("The card has expired.", reason="expired_card"),
}
MAGIC = re.compile(r"tok_(?P<trick>unavailable|timeout|slow)_(?P<number>\d{1,5})")


class MockGateway(MockProvider):
    """Any token is good, except:

    - `tok_insufficient_funds` and `tok_expired_card` are declined;
    - `tok_unavailable_N` is not taken N times, then works;
    - `tok_timeout_N` charges at once, but the answer is lost N times;
    - `tok_slow_MS` answers after so many milliseconds.
    """

    def charge(self, key: str, *, amount: int, currency: str, method: str, token: str) -> Outcome:
        attempt = self._note("charge", key)
        if isinstance(known := self.lookup(key), Refused):
            return known
        if token in DECLINED:
            return self._answer(key, Refused(DECLINED[token]))
        magic = MAGIC.fullmatch(token)
        trick, number = (magic["trick"], int(magic["number"])) if magic else ("", 0)
        if trick == "unavailable" and attempt <= number:
            raise ProviderUnavailable(f"try {attempt}")
        if trick == "slow":
            time.sleep(number / 1000)
        outcome = self._answer(key, accepted("txn", key))
        if trick == "timeout" and attempt <= number:
            raise OutcomeUnknown(f"try {attempt}")
        return outcome

    def cancel(self, key: str, *, charge_key: str) -> Outcome:
        self._note("cancel", key)
        self._answer(charge_key, Refused(PaymentDeclined("The charge was dropped.", reason="dropped")))
        return self._answer(key, accepted("void", key))

    def refund(self, key: str, *, transaction_id: str, amount: int) -> Outcome:
        self._note("refund", key)
        return self._answer(key, accepted("re", key))
