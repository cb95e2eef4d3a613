"""Charges and refunds: each is an intent with an idempotency key before the provider hears of it."""

from django.db import models
from django.db.models import F, Q

from cloudmart.database.fields import CharField, CodeField, DatabaseTimeField
from cloudmart.database.states import HasMoves
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import PaymentMethod
from cloudmart.kernel.text import LONGEST_CODE, LONGEST_REASON, LONGEST_REFERENCE


class Status(models.TextChoices):
    PENDING = "pending"  #: The charge is asked for, and what came of it is not known yet.
    CAPTURED = "captured"  #: The money is ours.
    DECLINED = "declined"  #: The provider has refused it, or never took it; nothing was charged.
    CANCELLING = "cancelling"  #: The provider is asked to drop a charge that never settled.
    CANCELLED = "cancelled"  #: Nothing was charged, and nothing will be.
    REFUNDING = "refunding"  #: The money is on its way back.
    REFUNDED = "refunded"  #: The customer has it back.


TAKEN = {Status.CAPTURED, Status.REFUNDING, Status.REFUNDED}
"""The money was taken, whatever has gone back since."""


class Payment(HasMoves):
    is_fresh = False
    """Not stored: whether this transaction is the first to write that it is to be charged, or dropped."""

    MOVES = {
        Status.PENDING: {Status.CAPTURED, Status.DECLINED, Status.CANCELLING},
        Status.CANCELLING: {Status.CANCELLED},
        Status.CAPTURED: {Status.REFUNDING},
        Status.REFUNDING: {Status.REFUNDED},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order_id = models.UUIDField(db_index=True)
    active_key = models.UUIDField(
        null=True,
        unique=True,
        editable=False,
        help_text="The order: it has one payment, also when that comes to nothing",
    )
    customer_id = CodeField(max_length=64)
    amount = models.PositiveBigIntegerField()
    refunded_amount = models.PositiveBigIntegerField(default=0, help_text="What was asked back so far")
    payment_method = CharField(max_length=16, choices=PaymentMethod.choices, blank=True)
    payment_token = CharField(
        max_length=128, blank=True, help_text="The provider's name for what pays; only until the charge is settled"
    )
    status = CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    transaction_id = CharField(
        max_length=LONGEST_REFERENCE, blank=True, help_text="The provider's name for the charge"
    )
    idempotency_key = CodeField(max_length=64, unique=True)
    failure = CharField(max_length=LONGEST_CODE, blank=True, help_text="The code of the provider's refusal")
    created_at = DatabaseTimeField(auto_now_add=True)

    class Meta:
        db_table = "payments"
        permissions = [
            ("process_payment", "Can charge an order"),
            ("cancel_payment", "Can cancel a charge that was not captured"),
            ("refund_payment", "Can refund a payment"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(refunded_amount__lte=F("amount")), name="refunds_within_payment")
        ]
        indexes = [models.Index(fields=["status", "created_at"], name="payments_by_status")]

    def __str__(self) -> str:
        return f"{self.amount} for {self.order_id}: {self.status}"

    @property
    def refundable(self) -> int:
        """What is left of it to be asked back."""
        return self.amount - self.refunded_amount


class RefundStatus(models.TextChoices):
    PENDING = "pending"  #: The provider is asked to give the money back.
    REFUNDED = "refunded"  #: It has.


class Refund(HasMoves):
    is_fresh = False
    """Not stored: whether this transaction is the first to write it."""

    MOVES = {RefundStatus.PENDING: {RefundStatus.REFUNDED}}

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount = models.PositiveBigIntegerField()
    status = CharField(max_length=16, choices=RefundStatus.choices, default=RefundStatus.PENDING)
    reference = CodeField(max_length=64, blank=True, help_text="Whoever asked has named it so; asked twice, it is one")
    reason = CharField(max_length=LONGEST_REASON, blank=True)
    transaction_id = CharField(
        max_length=LONGEST_REFERENCE, blank=True, help_text="The provider's name for the refund"
    )
    idempotency_key = CodeField(max_length=64, unique=True)
    created_at = DatabaseTimeField(auto_now_add=True)

    class Meta:
        db_table = "refunds"
        constraints = [models.UniqueConstraint(fields=["payment", "reference"], name="one_refund_per_reference")]
        indexes = [models.Index(fields=["status", "updated_at"], name="refunds_by_status")]

    def __str__(self) -> str:
        return f"{self.amount} of {self.payment_id}: {self.status}"
