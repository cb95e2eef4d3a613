"""The audit: every invariant of the shop, checked over the live data of both styles."""

from collections.abc import Iterator

import inventory.audit
import orders.audit
import payments.audit
import shipping.audit
from cloudmart.database.invariants import Finding
from sagas.operations.audit import endings, events, intents, mails, records, webhooks

INVARIANTS = (
    *inventory.audit.INVARIANTS,
    *orders.audit.INVARIANTS,
    *payments.audit.INVARIANTS,
    *endings.INVARIANTS,
    *records.INVARIANTS,
    *intents.INVARIANTS,
    *mails.INVARIANTS,
    *events.INVARIANTS,
    *webhooks.INVARIANTS,
)


RECONCILIATIONS = (payments.audit.RECONCILIATION, shipping.audit.RECONCILIATION)


def audit(limit: int) -> Iterator[Finding]:
    """Yields the finding of each invariant, with at most `limit` offenders; then those of providers with a ledger."""
    for invariant in INVARIANTS:
        yield invariant.check(limit)
    for reconciliation in RECONCILIATIONS:
        if reconciliation.is_possible:
            yield reconciliation.check(limit)
