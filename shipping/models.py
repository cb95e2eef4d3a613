"""Parcels: each is an intent with an idempotency key before the carrier hears of it."""

from django.db import models

from cloudmart.kernel.fields import CodeField
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.states import HasMoves


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
    postal_code = models.CharField(max_length=16, blank=True)
    address = models.CharField(max_length=500, blank=True)
    carrier = models.CharField(max_length=32)
    tracking_number = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    idempotency_key = CodeField(max_length=64, unique=True)
    failure = models.CharField(max_length=64, blank=True, help_text="The code of the carrier's refusal")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "shipments"
        indexes = [models.Index(fields=["status", "created_at"], name="shipments_by_status")]

    def __str__(self) -> str:
        return f"{self.tracking_number or 'no tracking number'} for {self.order_id}: {self.status}"
