"""The interface of a payment provider."""

from functools import cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from cloudmart.providers.outcomes import Outcome


class PaymentGateway(Protocol):
    """Every request carries an idempotency key: a repeat under the same key does nothing, and has the same outcome.

    Each returns Accepted or Refused, or raises ProviderUnavailable or OutcomeUnknown. Amounts are in minor units, at
    least 1. The audit compares our records with a gateway that also has a ledger (cloudmart.providers.reconciliation).
    """

    def charge(
        self, key: str, *, order_id: UUID, customer_id: str, amount: int, currency: str, method: str, token: str
    ) -> Outcome:
        """Accepted carries the transaction's id. The order's id is for the provider's own records.

        Without a `token`, the means of payment is the one that the provider has on file for the customer.
        """
        ...

    def cancel(self, key: str, *, charge_key: str) -> Outcome:
        """Voids a charge. If the charge has not arrived, that is accepted too, and the charge is refused later."""
        ...

    def refund(self, key: str, *, transaction_id: str, amount: int) -> Outcome: ...

    def lookup(self, key: str) -> Outcome:
        """Returns the outcome of the request with this key; Unknown if the provider is not certain."""
        ...


@cache
def gateway() -> PaymentGateway:
    """Returns the adapter that `settings.PAYMENT_GATEWAY` names, one per process."""
    adapter: PaymentGateway = import_string(settings.PAYMENT_GATEWAY)()
    return adapter
