"""Parcels in the admin."""

from cloudmart.api.admin import ReadOnlyAdmin


class ShipmentAdmin(ReadOnlyAdmin):
    """Registered in sagas/operations/admin.py, whose action marks parcels as shipped once the saga is finished."""

    list_display = ["id", "order_id", "status", "carrier", "tracking_number", "country", "postal_code", "created_at"]
    list_filter = ["status", "carrier"]
    search_fields = ["id", "order_id", "tracking_number"]
    ordering = ["-id"]
