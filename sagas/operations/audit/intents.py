"""Invariants of intents without a certain outcome."""

from django.conf import settings

from cloudmart.database.invariants import Invariant, Rows
from cloudmart.providers.unsettled import Unsettled
from sagas.operations.stale_intents import KINDS, neglected


def is_driven(kind: Unsettled) -> Invariant:
    """Returns the invariant that no intent of this kind is forgotten."""

    def breaking(rows: Rows) -> Rows:
        return neglected(rows, kind, settings.STALE_INTENT + settings.AUDIT_GRACE)

    promise = f"Every {kind.words} without an outcome is driven by its order's saga, or was called again lately."
    return Invariant(f"{kind.name}_is_driven", promise, kind.rows(), breaking, (kind.order_id,))


INVARIANTS = tuple(is_driven(kind) for kind in KINDS)
