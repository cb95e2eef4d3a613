"""A carrier that is steered by magic postal codes, and carries nothing."""

import re

from cloudmart.kernel.facts import Address
from cloudmart.kernel.mock_provider import MockProvider, accepted
from cloudmart.kernel.remote import Outcome, ProviderUnavailable, Refused
from shipping.errors import ShippingFailed

NOT_SERVED = "000-0000"
DOWN = "999-9999"
FAILING = re.compile(r"998-000(\d)")


class MockCarrier(MockProvider):
    """Serves every postal code, except:

    - `000-0000` is refused: the carrier does not go there;
    - `999-9999` is never taken: the carrier is down;
    - `998-000N` is not taken N times, then works.
    """

    name = "mock"

    def arrange(self, key: str, *, address: Address) -> Outcome:
        attempt = self._note("arrange", key)
        if isinstance(known := self.lookup(key), Refused):
            return known
        code = address.postal_code
        if code == NOT_SERVED:
            return self._answer(key, Refused(ShippingFailed("The carrier does not go there.", reason="not_served")))
        failing = FAILING.fullmatch(code)
        if code == DOWN or (failing and attempt <= int(failing[1])):
            raise ProviderUnavailable(f"try {attempt}")
        return self._answer(key, accepted("trk", key))

    def cancel(self, key: str, *, arrange_key: str) -> Outcome:
        self._note("cancel", key)
        self._answer(arrange_key, Refused(ShippingFailed("The parcel was called off.", reason="called_off")))
        return self._answer(key, accepted("void", key))
