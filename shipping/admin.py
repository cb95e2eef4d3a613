"""Parcels as operators see them."""

from cloudmart.api.admin import ReadOnlyAdmin


class ShipmentAdmin(ReadOnlyAdmin):
    """Registered in `sagas/admin.py`, because what is done to a parcel by hand has to wait for the order's saga."""

    list_display = ["id", "order_id", "status", "carrier", "tracking_number", "country", "postal_code", "created_at"]
    list_filter = ["status", "carrier"]
    search_fields = ["id", "order_id", "tracking_number"]
    ordering = ["-id"]
