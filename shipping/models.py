"""Parcels. Each is stored with its idempotency key before the carrier is asked."""

from django.db import models
from django.utils.translation import gettext

from cloudmart.database.fields import CharField
from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.countries import home_country
from cloudmart.kernel.order import Address
from cloudmart.kernel.order_numbers import shown
from cloudmart.kernel.text import LONGEST_REFERENCE
from cloudmart.providers.records import ProviderRecord
from shipping.errors import ShippingFailed

LONGEST_CARRIER = 32


class Status(TranslatedChoices):
    PENDING = "pending"  #: The delivery was requested; its outcome is not known yet.
    ARRANGED = "arranged"  #: The carrier will collect the parcel.
    FAILED = "failed"  #: The carrier refused the delivery, or never took the request.
    SHIPPED = "shipped"  #: The carrier has collected the parcel; it can no longer be cancelled.
    DELIVERED = "delivered"  #: The customer has the parcel.
    RETURNED = "returned"  #: The parcel was delivered, and has come back.
    CANCELLING = "cancelling"  #: The cancellation of the delivery was requested.
    CANCELLED = "cancelled"  #: The parcel will not be sent.


class Shipment(ProviderRecord):
    refusal = ShippingFailed
    MOVES = {
        Status.PENDING: {Status.ARRANGED, Status.FAILED, Status.CANCELLING},
        Status.ARRANGED: {Status.SHIPPED, Status.DELIVERED, Status.CANCELLING},
        Status.SHIPPED: {Status.DELIVERED},
        Status.DELIVERED: {Status.RETURNED},
        Status.CANCELLING: {Status.CANCELLED, Status.SHIPPED, Status.DELIVERED},
    }

    postal_code = CharField(max_length=16, blank=True)
    address = CharField(max_length=500, blank=True)
    country = CharField(max_length=2, default=home_country, help_text="ISO 3166-1 alpha-2")
    carrier = CharField(max_length=LONGEST_CARRIER)
    tracking_number = CharField(max_length=LONGEST_REFERENCE, blank=True)
    status = CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    shipped_at = models.DateTimeField(null=True, blank=True, help_text="When the carrier collected the parcel")
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="When the customer got the parcel")
    next_poll_at = models.DateTimeField(
        null=True, blank=True, help_text="When a worker asks the carrier next where the parcel is; null: never"
    )

    class Meta:
        db_table = "shipments"
        permissions = [
            ("arrange_shipment", "Can arrange a shipment"),
            ("cancel_shipment", "Can cancel a shipment"),
            ("ship_shipment", "Can mark a shipment as shipped"),
            ("deliver_shipment", "Can mark a shipment as delivered"),
        ]
        indexes = [
            models.Index(fields=["status", "updated_at"], name="shipments_by_status"),
            models.Index(fields=["tracking_number"], name="shipments_by_tracking"),
            models.Index(fields=["next_poll_at"], name="shipments_to_poll"),
        ]

    @property
    def has_left(self) -> bool:
        """Returns True once the carrier has collected the parcel, also if it has come back since."""
        return self.status in {Status.SHIPPED, Status.DELIVERED, Status.RETURNED}

    @property
    def is_settled(self) -> bool:
        """Returns True if the outcome of the delivery or its cancellation is known."""
        return self.status not in {Status.PENDING, Status.CANCELLING}

    @property
    def destination(self) -> Address:
        return Address(self.postal_code, self.address, self.country)

    def __str__(self) -> str:
        return gettext("%(tracking_number)s for %(order)s: %(status)s") % {
            "tracking_number": self.tracking_number or gettext("no tracking number"),
            "order": shown(self.order_id),
            "status": gettext(self.status),
        }
