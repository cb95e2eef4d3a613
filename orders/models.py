"""Customers and their orders. Books, payments and parcels belong to other contexts and are known by id."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property
from django.utils.translation import gettext

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import DOT_SEGMENTS, CharField, CodeField, EmailField, IsNot, is_code
from cloudmart.database.states import HasMoves
from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.countries import home_country, is_country
from cloudmart.kernel.ids import new_id
from cloudmart.kernel.order import PaymentMethod
from cloudmart.kernel.order_numbers import LENGTH, beginning_of, number_of, shown
from cloudmart.kernel.text import LONGEST_ERROR, LONGEST_REASON
from orders.price_rules import CouponUse, Discount, TaxRate  # noqa: F401, the other models of this app

LONGEST_NOTE = 1000


class Language(TranslatedChoices):
    JAPANESE = "ja"
    ENGLISH = "en"


def home_language() -> str:
    """The language of the shop's own country: Japanese in Japan, English elsewhere."""
    return Language.JAPANESE if home_country() == "JP" else Language.ENGLISH


class Customer(models.Model):
    id = CodeField("code", primary_key=True, max_length=64, validators=[is_code, IsNot(*DOT_SEGMENTS)])
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="customer"
    )
    name = CharField(max_length=200)
    email = EmailField(blank=True)
    postal_code = CharField(max_length=16, blank=True)
    address = CharField(max_length=500, blank=True)
    country = CharField(
        max_length=2, default=home_country, validators=[is_country], help_text="ISO 3166-1 alpha-2; decides the tax"
    )
    payment_method = CharField(
        max_length=16,
        choices=PaymentMethod.choices,
        default=PaymentMethod.CREDIT_CARD,
        help_text="Of orders that name no other",
    )
    language = CharField(
        max_length=2, choices=Language.choices, default=home_language, help_text="Of the mails to the customer"
    )

    class Meta:
        db_table = "customers"
        indexes = [
            models.Index(fields=["email", "id"], name="customers_by_email"),
            models.Index(fields=["name"], name="customers_by_name"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.name}"


class Status(TranslatedChoices):
    DRAFT = "draft"  #: Books can be added and removed; each is reserved when it is added.
    PENDING = "pending"  #: Placed; its saga is not finished.
    COMPLETED = "completed"  #: Paid, sold and handed to the carrier.
    CANCELLED = "cancelled"  #: Nothing is reserved, charged or shipped for it any more.
    RETURNED = "returned"  #: It was delivered and has come back; the money is refunded.


class SagaStyle(TranslatedChoices):
    ORCHESTRATION = "orchestration"  #: A state machine drives the steps.
    CHOREOGRAPHY = "choreography"  #: Each context reacts to the others' events.


class NumberField(CharField):
    """The short number of an order, computed from its id when it is stored. In migrations it is a CharField."""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        number = number_of(model_instance.pk)
        setattr(model_instance, self.attname, number)
        return number

    def to_python(self, value: Any) -> Any:
        """Returns the stored form of a number, or of its beginning, as people write it. Raises ValidationError."""
        if not value:
            return value
        if (beginning := beginning_of(str(value))) is None:
            raise ValidationError("An order number has 8 digits of 0-9 A-F.", code="invalid")
        return beginning

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "cloudmart.database.fields.CharField", args, kwargs


class Order(HasMoves):
    MOVES = {
        Status.DRAFT: {Status.PENDING, Status.CANCELLED},
        Status.PENDING: {Status.COMPLETED, Status.CANCELLED},
        Status.COMPLETED: {Status.CANCELLED, Status.RETURNED},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = NumberField(max_length=LENGTH, default="", editable=False, help_text="The last eight digits of the id")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders", db_index=False)
    status = CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    subtotal = models.PositiveBigIntegerField(default=0)
    discount = models.PositiveBigIntegerField(default=0)
    tax = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    region = CharField(max_length=8, blank=True)
    coupon = CodeField(max_length=32, blank=True)
    payment_method = CharField(max_length=16, choices=PaymentMethod.choices, blank=True)
    postal_code = CharField(max_length=16, blank=True)
    address = CharField(max_length=500, blank=True)
    cancel_reason = CharField(max_length=LONGEST_REASON, blank=True, help_text="Why it was cancelled, or returned")
    saga_style = CharField(max_length=16, choices=SagaStyle.choices, blank=True)
    created_at = models.DateTimeField(default=DatabaseNow, editable=False)

    class Meta:
        db_table = "orders"
        permissions = [("place_order_for_others", "Can place an order, or change a draft, for another customer")]
        constraints = [
            models.CheckConstraint(condition=Q(subtotal__gte=F("discount")), name="discount_within_subtotal"),
            models.CheckConstraint(
                condition=Q(total=F("subtotal") + F("tax") - F("discount")), name="order_total_adds_up"
            ),
        ]
        indexes = [
            models.Index(fields=["number"], name="orders_by_number"),
            models.Index(fields=["created_at", "id"], name="orders_by_time"),
            models.Index(fields=["customer", "created_at", "id"], name="orders_of_customer"),
            models.Index(fields=["status", "created_at", "id"], name="orders_by_status"),
        ]

    def __str__(self) -> str:
        return shown(self.pk)

    @cached_property
    def lines(self) -> list["OrderItem"]:
        """The items, read once: of an order whose items no longer change."""
        return list(self.items.all())


class OrderItem(models.Model):
    """One book of an order, with its title and price when it was added."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="items", db_index=False)
    book_id = CodeField(max_length=64)
    title = CharField(max_length=300)
    unit_price = models.PositiveBigIntegerField()
    quantity = models.PositiveIntegerField()

    class Meta:
        db_table = "order_items"
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["order", "book_id"], name="one_item_per_book"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="item_has_copies"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"

    @property
    def line_total(self) -> int:
        return self.unit_price * self.quantity


class OrderNote(models.Model):
    """A note about an order, for operators only. Notes are only added."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="notes")
    author = CharField(max_length=150)
    text = CharField(max_length=LONGEST_NOTE)
    at = models.DateTimeField(default=DatabaseNow, editable=False)

    class Meta:
        db_table = "order_notes"
        permissions = [("note_order", "Can add a note to an order")]

    def __str__(self) -> str:
        return f"{self.author}: {self.text}"


class Outcome(TranslatedChoices):
    """What has become of an order, as its mail says."""

    COMPLETED = "completed"  #: Paid, and handed to the carrier.
    CANCELLED = "cancelled"  #: Failed or cancelled; everything is undone.
    REFUNDED = "refunded"  #: Some or all of its money is refunded; the order stands.
    SHIPPED = "shipped"  #: The carrier has collected the parcel.
    RETURNED = "returned"  #: It has come back, and its money is refunded.


class MailStatus(TranslatedChoices):
    PENDING = "pending"  #: It is sent when it is due.
    SENT = "sent"  #: The mail server has accepted it.
    FAILED = "failed"  #: The mail server has refused it for good, or for too long.
    NO_ADDRESS = "no_address"  #: The customer has no e-mail address.


class Mail(HasMoves):
    """One outcome of an order, which is mailed to its customer. Written in the transaction that decides it."""

    MOVES = {
        MailStatus.PENDING: {MailStatus.SENT, MailStatus.FAILED, MailStatus.NO_ADDRESS},
        MailStatus.SENT: {MailStatus.PENDING},
        MailStatus.FAILED: {MailStatus.PENDING},
        MailStatus.NO_ADDRESS: {MailStatus.PENDING},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order = models.ForeignKey(
        Order, on_delete=models.CASCADE, related_name="mails", db_constraint=False, db_index=False
    )
    outcome = CharField(max_length=16, choices=Outcome.choices)
    reference = CodeField(max_length=64, blank=True, help_text="Of a refund: its id; one order may have several")
    data = models.JSONField(help_text="What the text is made of")
    status = CharField(max_length=16, choices=MailStatus.choices, default=MailStatus.PENDING)
    due_at = models.DateTimeField(
        default=DatabaseNow, help_text="When a worker may try a pending mail; while one does, the end of its lease"
    )
    retry_until = models.DateTimeField(help_text="When it fails if the mail server has not accepted it")
    attempts = models.PositiveIntegerField(default=0, help_text="Since it was recorded, or resent")
    fence = models.PositiveIntegerField(default=0, help_text="How often a worker has acquired its lease")
    resends = models.PositiveIntegerField(default=0, help_text="How often an operator has had it sent again")
    error = CharField(max_length=LONGEST_ERROR, blank=True, help_text="Why the last attempt failed")
    recipient = CharField(max_length=254, blank=True, help_text="To whom it was sent last")
    language = CharField(max_length=2, choices=Language.choices, blank=True, help_text="In which it was sent first")
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=DatabaseNow, editable=False)

    class Meta:
        db_table = "mails"
        permissions = [("resend_mail", "Can have a mail sent again")]
        constraints = [models.UniqueConstraint(fields=["order", "outcome", "reference"], name="one_mail_per_outcome")]
        indexes = [models.Index(fields=["status", "due_at"], name="mails_due")]

    def __str__(self) -> str:
        return gettext("%(outcome)s of %(order)s: %(status)s") % {
            "outcome": gettext(self.outcome),
            "order": shown(self.order_id),
            "status": gettext(self.status),
        }
