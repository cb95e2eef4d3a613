"""The interface of a carrier."""

from functools import cache
from typing import Protocol, runtime_checkable
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from cloudmart.kernel.order import Address
from cloudmart.providers.outcomes import Outcome
from shipping.carriers.reports import Report


class Carrier(Protocol):
    """Every request carries an idempotency key: a repeat under the same key does nothing, and has the same outcome.

    Each returns Accepted or Refused, or raises ProviderUnavailable or OutcomeUnknown. The audit compares our records
    with a carrier that also has a ledger (cloudmart.providers.reconciliation). A worker polls one that also `Tracks`.
    """

    name: str

    def arrange(self, key: str, *, order_id: UUID, address: Address) -> Outcome:
        """Accepted carries the tracking number. The order's id is for the carrier's own records."""
        ...

    def cancel(self, key: str, *, arrange_key: str) -> Outcome:
        """Cancels a parcel. If the parcel has not arrived, that is accepted too, and the parcel is refused later.

        A parcel that was collected is refused.
        """
        ...

    def lookup(self, key: str) -> Outcome:
        """Returns the outcome of the request with this key; Unknown if the carrier is not certain."""
        ...


@runtime_checkable
class Tracks(Protocol):
    """A carrier that says where a parcel is."""

    def track(self, key: str) -> Report | None:
        """Returns what has become of the parcel with this key last; None if it has not left, or is not known.

        Raises ProviderUnavailable or OutcomeUnknown.
        """
        ...


@cache
def carrier() -> Carrier:
    """Returns the adapter that `settings.CARRIER` names, one per process."""
    adapter: Carrier = import_string(settings.CARRIER)()
    return adapter
