"""Parcels in the admin."""

from cloudmart.pages.base import ReadOnlyAdmin, fixed_choices
from shipping.carriers.http import HttpCarrier
from shipping.carriers.mock import MockCarrier

CARRIERS = (MockCarrier.name, HttpCarrier.name)


class ShipmentAdmin(ReadOnlyAdmin):
    """Registered in sagas/admin, whose action marks parcels as shipped once the saga is finished."""

    list_display = ["id", "order_id", "status", "carrier", "tracking_number", "country", "postal_code", "created_at"]
    list_filter = ["status", fixed_choices("carrier", CARRIERS)]
    search_fields = ["order_id", "id", "^tracking_number", "idempotency_key"]
