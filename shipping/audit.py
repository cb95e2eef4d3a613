"""What is always true of parcels, whoever has asked for them."""

from django.db.models import Case, Count, When

from cloudmart.database.invariants import Rows, invariant
from cloudmart.providers.reconciliation import Reconciliation
from shipping.carriers.port import carrier
from shipping.models import Shipment, Status

LIVE = {Status.PENDING, Status.ARRANGED, Status.SHIPPED, Status.CANCELLING}
"""It is on its way, or may be."""


@invariant(Shipment, named_by=("order_id",))
def one_live_parcel(parcels: Rows) -> Rows:
    """An order has at most one parcel that is on its way, or may be."""
    return parcels.filter(status__in=LIVE).values("order_id").annotate(parcels=Count("pk")).filter(parcels__gt=1)


def left_of_parcels() -> Rows:
    """Keys of parcels, and the least and the most that the carrier may have of each."""
    least = Case(When(status__in={Status.ARRANGED, Status.SHIPPED}, then=1), default=0)
    most = Case(When(status__in=LIVE, then=1), default=0)
    return Shipment.objects.annotate(least=least, most=most).values_list("idempotency_key", "least", "most")


INVARIANTS = (one_live_parcel,)

RECONCILIATION = Reconciliation(
    "carrier_agrees",
    "The carrier has every parcel that our books say it has, and no other.",
    carrier,
    left_of_parcels,
)
