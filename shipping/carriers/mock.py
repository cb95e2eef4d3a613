"""A carrier in this process. It carries nothing; magic postal codes decide its outcomes."""

from uuid import UUID

from cloudmart.kernel.order import Address
from cloudmart.providers.magic import Refusal, behaviour_of_postal_code
from cloudmart.providers.mock import MockProvider, accepted, refused
from cloudmart.providers.outcomes import Outcome
from shipping.carriers.reports import Report
from shipping.errors import ShippingFailed

CANCELLED = Refusal("called_off", "The parcel was cancelled.")
COLLECTED = Refusal("already_shipped", "The parcel was collected already.")


class MockCarrier(MockProvider):
    """Serves every postal code, except the magic ones where they are allowed."""

    name = "mock"

    def __init__(self) -> None:
        super().__init__()
        self.reports: dict[str, Report] = {}
        """What has become of the parcels that have left, by key: set by tests and demonstrations."""

    def arrange(self, key: str, *, order_id: UUID, address: Address) -> Outcome:
        return self._execute("arrange", key, behaviour_of_postal_code(address.postal_code), "trk", ShippingFailed)

    def cancel(self, key: str, *, arrange_key: str) -> Outcome:
        self._record_call("cancel", key)
        if arrange_key in self.reports:
            return self._store_outcome(key, refused(ShippingFailed, COLLECTED, key))
        self._store_outcome(arrange_key, refused(ShippingFailed, CANCELLED, arrange_key))
        return self._store_outcome(key, accepted("void", key))

    def track(self, key: str) -> Report | None:
        return self.reports.get(key)
