"""Parcels as operators see them."""

from cloudmart.api.admin import ReadOnlyAdmin


class ShipmentAdmin(ReadOnlyAdmin):
    """Registered in sagas/operations/admin.py: marking a parcel as shipped waits for the order's saga."""

    list_display = ["id", "order_id", "status", "carrier", "tracking_number", "country", "postal_code", "created_at"]
    list_filter = ["status", "carrier"]
    search_fields = ["id", "order_id", "tracking_number"]
    ordering = ["-id"]
