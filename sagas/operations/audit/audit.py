"""The one audit: every invariant of the shop, over the live data, whichever style has made it."""

from collections.abc import Iterator

import inventory.audit
import orders.audit
import payments.audit
import shipping.audit
from cloudmart.database.invariants import Finding
from sagas.operations.audit import endings, intents, records

INVARIANTS = (
    *inventory.audit.INVARIANTS,
    *orders.audit.INVARIANTS,
    *payments.audit.INVARIANTS,
    *shipping.audit.INVARIANTS,
    *endings.INVARIANTS,
    *records.INVARIANTS,
    *intents.INVARIANTS,
)


RECONCILIATIONS = (payments.audit.RECONCILIATION, shipping.audit.RECONCILIATION)


def audit(limit: int) -> Iterator[Finding]:
    """What comes of looking at each, with at most `limit` offenders by name; and at the providers that let us look."""
    for invariant in INVARIANTS:
        yield invariant.check(limit)
    for reconciliation in RECONCILIATIONS:
        if reconciliation.is_possible:
            yield reconciliation.check(limit)
