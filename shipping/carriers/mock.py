"""A carrier that is steered by magic postal codes, and carries nothing."""

from uuid import UUID

from cloudmart.kernel.order import Address
from cloudmart.providers.magic import Refusal, fate_of_postal_code
from cloudmart.providers.mock import MockProvider, accepted, allowed, refused
from cloudmart.providers.remote import Outcome, ProviderUnavailable, Refused
from shipping.errors import ShippingFailed

CALLED_OFF = Refusal("called_off", "The parcel was called off.")


class MockCarrier(MockProvider):
    """Serves every postal code, except the magic ones where they are allowed."""

    name = "mock"

    def arrange(self, key: str, *, order_id: UUID, address: Address) -> Outcome:
        attempt = self._note("arrange", key)
        if isinstance(known := self.lookup(key), Refused):
            return known
        fate = allowed(fate_of_postal_code(address.postal_code))
        if no := fate.refusal:
            return self._answer(key, refused(ShippingFailed, no, key))
        if attempt <= fate.not_taken:
            raise ProviderUnavailable(f"try {attempt}")
        return self._answer(key, accepted("trk", key))

    def cancel(self, key: str, *, arrange_key: str) -> Outcome:
        self._note("cancel", key)
        self._answer(arrange_key, refused(ShippingFailed, CALLED_OFF, arrange_key))
        return self._answer(key, accepted("void", key))
