"""Parcels: each is an intent with an idempotency key before the carrier hears of it."""

from django.db import models

from cloudmart.database.fields import CharField, CodeField, DatabaseTimeField
from cloudmart.database.states import HasMoves
from cloudmart.kernel.countries import home_country
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import Address
from cloudmart.kernel.text import LONGEST_CODE, LONGEST_REFERENCE

LONGEST_CARRIER = 32


class Status(models.TextChoices):
    PENDING = "pending"  #: The carrier is asked, and what came of it is not known yet.
    ARRANGED = "arranged"  #: The carrier will fetch the parcel.
    FAILED = "failed"  #: The carrier has refused, or never took the request.
    SHIPPED = "shipped"  #: The carrier has it; it can no longer be held back.
    CANCELLING = "cancelling"  #: The carrier is asked not to fetch it.
    CANCELLED = "cancelled"  #: It will not be sent.


class Shipment(HasMoves):
    is_fresh = False
    """Not stored: whether this transaction is the first to write that it is to be sent, or called off."""

    MOVES = {
        Status.PENDING: {Status.ARRANGED, Status.FAILED, Status.CANCELLING},
        Status.ARRANGED: {Status.SHIPPED, Status.CANCELLING},
        Status.CANCELLING: {Status.CANCELLED},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order_id = models.UUIDField(db_index=True)
    active_key = models.UUIDField(
        null=True,
        unique=True,
        editable=False,
        help_text="The order: it has one parcel, also when that comes to nothing",
    )
    customer_id = CodeField(max_length=64)
    postal_code = CharField(max_length=16, blank=True)
    address = CharField(max_length=500, blank=True)
    country = CharField(max_length=2, default=home_country, help_text="ISO 3166-1 alpha-2")
    carrier = CharField(max_length=LONGEST_CARRIER)
    tracking_number = CharField(max_length=LONGEST_REFERENCE, blank=True)
    status = CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    idempotency_key = CodeField(max_length=64, unique=True)
    failure = CharField(max_length=LONGEST_CODE, blank=True, help_text="The code of the carrier's refusal")
    created_at = DatabaseTimeField(auto_now_add=True)

    class Meta:
        db_table = "shipments"
        permissions = [
            ("arrange_shipment", "Can arrange a shipment"),
            ("cancel_shipment", "Can cancel a shipment"),
            ("ship_shipment", "Can mark a shipment as shipped"),
        ]
        indexes = [models.Index(fields=["status", "created_at"], name="shipments_by_status")]

    @property
    def destination(self) -> Address:
        return Address(self.postal_code, self.address, self.country)

    def __str__(self) -> str:
        return f"{self.tracking_number or 'no tracking number'} for {self.order_id}: {self.status}"
