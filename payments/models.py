"""Charges and refunds. Each is stored with its idempotency key before the gateway is asked."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext

from cloudmart.database.fields import CharField, CodeField, DatabaseTimeField
from cloudmart.database.states import HasMoves
from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.money import formatted
from cloudmart.kernel.order import PaymentMethod
from cloudmart.kernel.order_numbers import shown
from cloudmart.kernel.text import LONGEST_REASON, LONGEST_REFERENCE
from cloudmart.providers.records import ProviderRecord
from payments.errors import PaymentDeclined


class Status(TranslatedChoices):
    PENDING = "pending"  #: The charge was requested; its outcome is not known yet.
    CAPTURED = "captured"  #: The money was taken.
    DECLINED = "declined"  #: The provider refused the charge, or never took the request; nothing was charged.
    CANCELLING = "cancelling"  #: The void of an uncaptured charge was requested.
    CANCELLED = "cancelled"  #: Nothing was charged, and nothing will be.
    REFUNDING = "refunding"  #: The refund of all that is left was requested.
    REFUNDED = "refunded"  #: The customer has the money back.


TAKEN = {Status.CAPTURED, Status.REFUNDING, Status.REFUNDED}
"""The money was taken, whatever was refunded since."""


class Payment(ProviderRecord):
    refusal = PaymentDeclined

    MOVES = {
        Status.PENDING: {Status.CAPTURED, Status.DECLINED, Status.CANCELLING},
        Status.CANCELLING: {Status.CANCELLED},
        Status.CAPTURED: {Status.REFUNDING},
        Status.REFUNDING: {Status.REFUNDED},
    }

    amount = models.PositiveBigIntegerField()
    refunded_amount = models.PositiveBigIntegerField(default=0, help_text="The sum of the refunds that were requested")
    payment_method = CharField(max_length=16, choices=PaymentMethod.choices, blank=True)
    payment_token = CharField(
        max_length=128, blank=True, help_text="The provider's name for the means of payment; empty once settled"
    )
    status = CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    transaction_id = CharField(
        max_length=LONGEST_REFERENCE, blank=True, help_text="The provider's name for the charge"
    )

    class Meta:
        db_table = "payments"
        permissions = [
            ("process_payment", "Can charge an order"),
            ("cancel_payment", "Can void a charge that was not captured"),
            ("refund_payment", "Can refund a payment"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(refunded_amount__lte=F("amount")), name="refunds_within_payment")
        ]
        indexes = [
            models.Index(fields=["status", "updated_at"], name="payments_by_status"),
            models.Index(fields=["transaction_id", "id"], name="payments_by_transaction"),
        ]

    def __str__(self) -> str:
        return gettext("%(amount)s for %(order)s: %(status)s") % {
            "amount": formatted(self.amount),
            "order": shown(self.order_id),
            "status": gettext(self.status),
        }

    @property
    def is_settled(self) -> bool:
        """Returns True if the outcome of the charge, of its void and of its refunds is known."""
        is_refunding = any(refund.status == RefundStatus.PENDING for refund in self.refunds.all())
        return self.status not in {Status.PENDING, Status.CANCELLING} and not is_refunding

    @property
    def refundable(self) -> int:
        """What is left to refund."""
        return self.amount - self.refunded_amount


class RefundStatus(TranslatedChoices):
    PENDING = "pending"  #: The refund was requested.
    REFUNDED = "refunded"  #: The provider has made the refund.


class Refund(HasMoves):
    MOVES = {RefundStatus.PENDING: {RefundStatus.REFUNDED}}

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds", db_index=False)
    amount = models.PositiveBigIntegerField()
    status = CharField(max_length=16, choices=RefundStatus.choices, default=RefundStatus.PENDING)
    reference = CodeField(max_length=64, blank=True, help_text="The client's name for the refund, which is made once")
    reason = CharField(max_length=LONGEST_REASON, blank=True)
    transaction_id = CharField(
        max_length=LONGEST_REFERENCE, blank=True, help_text="The provider's name for the refund"
    )
    idempotency_key = CodeField(max_length=64, unique=True)
    created_at = DatabaseTimeField(auto_now_add=True)

    class Meta:
        db_table = "refunds"
        constraints = [models.UniqueConstraint(fields=["payment", "reference"], name="one_refund_per_reference")]
        indexes = [
            models.Index(fields=["status", "updated_at"], name="refunds_by_status"),
            models.Index(fields=["transaction_id", "id"], name="refunds_by_transaction"),
        ]

    def __str__(self) -> str:
        return f"{formatted(self.amount)}: {gettext(self.status)}"
