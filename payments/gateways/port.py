"""What we ask of a payment provider."""

from functools import cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from cloudmart.providers.remote import Outcome


class PaymentGateway(Protocol):
    """Every request carries an idempotency key: a repeat under the same key does nothing and answers the same.

    Each answers Accepted or Refused, or raises ProviderUnavailable or OutcomeUnknown. Amounts are in minor units.
    One that also keeps a ledger (cloudmart.providers.reconciliation) is held against our books by the audit.
    """

    def charge(self, key: str, *, order_id: UUID, amount: int, currency: str, method: str, token: str) -> Outcome:
        """Accepted carries the transaction's id. The order's is for the provider's books, to compare ours with."""
        ...

    def cancel(self, key: str, *, charge_key: str) -> Outcome:
        """Drop a charge that may never have happened.

        That it has not is a success, and that it comes later is refused.
        """
        ...

    def refund(self, key: str, *, transaction_id: str, amount: int) -> Outcome: ...

    def lookup(self, key: str) -> Outcome:
        """What became of the request with this key; Unknown when the provider cannot tell for sure."""
        ...


@cache
def gateway() -> PaymentGateway:
    """The adapter that `settings.PAYMENT_GATEWAY` names, one a process."""
    adapter: PaymentGateway = import_string(settings.PAYMENT_GATEWAY)()
    return adapter
