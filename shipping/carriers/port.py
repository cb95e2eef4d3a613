"""What we ask of a carrier."""

from functools import cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from cloudmart.kernel.order import Address
from cloudmart.providers.remote import Outcome


class Carrier(Protocol):
    """Every request carries an idempotency key: a repeat under the same key does nothing and answers the same.

    Each answers Accepted or Refused, or raises ProviderUnavailable or OutcomeUnknown.
    One that also keeps a ledger (cloudmart.providers.reconciliation) is held against our books by the audit.
    """

    name: str

    def arrange(self, key: str, *, order_id: UUID, address: Address) -> Outcome:
        """Accepted carries the tracking number. The order's id is for the carrier's books, to compare ours with."""
        ...

    def cancel(self, key: str, *, arrange_key: str) -> Outcome:
        """Call off a parcel that may never have been arranged.

        That it has not is a success, and that it comes later is refused.
        """
        ...

    def lookup(self, key: str) -> Outcome:
        """What became of the request with this key; Unknown when the carrier cannot tell for sure."""
        ...


@cache
def carrier() -> Carrier:
    """The adapter that `settings.CARRIER` names, one a process."""
    adapter: Carrier = import_string(settings.CARRIER)()
    return adapter
