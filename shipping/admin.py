"""Parcels in the admin."""

from django.utils.translation import gettext_lazy as _

from cloudmart.pages.base import ReadOnlyAdmin, fixed_choices
from cloudmart.pages.cells import Badge, badge_in, customer, order, shortened_in
from shipping.carriers.http import HttpCarrier
from shipping.carriers.mock import MockCarrier
from shipping.models import Status

CARRIERS = (MockCarrier.name, HttpCarrier.name)

BADGES = {
    Status.PENDING: Badge("busy", _("pending")),
    Status.ARRANGED: Badge("wait", _("to be collected")),
    Status.FAILED: Badge("bad", _("failed")),
    Status.SHIPPED: Badge("busy", _("on its way")),
    Status.DELIVERED: Badge("good", _("delivered")),
    Status.RETURNED: Badge("mute", _("returned")),
    Status.CANCELLING: Badge("busy", _("cancelling")),
    Status.CANCELLED: Badge("mute", _("cancelled")),
}

status = badge_in("status", _("status"), BADGES)
tracking_number = shortened_in("tracking_number", _("tracking number"), whole_up_to=24)


class ShipmentAdmin(ReadOnlyAdmin):
    """Registered in sagas/admin, whose action marks parcels as shipped once the saga is finished."""

    list_display = [
        "created_at",
        order,
        customer,
        tracking_number,
        "carrier",
        status,
        "shipped_at",
        "delivered_at",
        "country",
        "postal_code",
    ]
    list_filter = ["status", fixed_choices("carrier", CARRIERS)]
    search_fields = ["order_id", "id", "^tracking_number", "idempotency_key"]
    fields = [
        order,
        customer,
        tracking_number,
        "carrier",
        status,
        "failure",
        "postal_code",
        "address",
        "country",
        "created_at",
        "shipped_at",
        "delivered_at",
        "next_poll_at",
        "updated_at",
        "id",
        "idempotency_key",
    ]
    readonly_fields = [order, customer, tracking_number, status]
    csv_columns = (
        "created_at",
        "order_id",
        "customer_id",
        "tracking_number",
        "carrier",
        "status",
        "shipped_at",
        "delivered_at",
        "country",
        "postal_code",
        "id",
    )
