"""The comparison of parcels with the carrier's ledger. The database itself allows one parcel per order."""

from django.db.models import Case, When

from cloudmart.database.invariants import Rows
from cloudmart.providers.reconciliation import Reconciliation
from shipping.carriers.port import carrier
from shipping.models import Shipment, Status

SENT = {Status.ARRANGED, Status.SHIPPED, Status.DELIVERED}
"""The carrier has the parcel, or has delivered it."""

LIVE = SENT | {Status.PENDING, Status.CANCELLING}
"""So it has, or may have."""


def left_of_parcels() -> Rows:
    """Returns each parcel's key, and the least and the most that the carrier may have of it."""
    carried = {Status.RETURNED}
    least = Case(When(status__in=SENT | carried, then=1), default=0)
    most = Case(When(status__in=LIVE | carried, then=1), default=0)
    return Shipment.objects.annotate(least=least, most=most).values_list("idempotency_key", "least", "most")


RECONCILIATION = Reconciliation(
    "carrier_agrees",
    "The carrier has every parcel that our records say it has, and no other.",
    carrier,
    left_of_parcels,
)
