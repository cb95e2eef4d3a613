"""The discounts, coupons and tax rates that operators edit."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext

from cloudmart.database.clock import database_now
from cloudmart.database.fields import CharField, CodeField
from cloudmart.kernel.choices import TranslatedChoices
from cloudmart.kernel.countries import is_country
from cloudmart.kernel.money import formatted
from cloudmart.kernel.order_numbers import shown
from orders.errors import CouponNotValid
from orders.pricing import AmountOff, PercentOff, Tax
from orders.pricing import Discount as Strategy

COUPON_CODE = r"^[A-Za-z0-9_-]{1,32}\Z"

is_coupon_code = RegexValidator(COUPON_CODE, "A coupon's code has 1 to 32 of A-Z a-z 0-9 _ -")

ANY_REGION = ""
"""The region of the rate that applies where no other does."""


class Discount(models.Model):
    """A reduction of the price: of every order, or, if it is a coupon, of those that name its code.

    Only coupons with a limit are counted: one that everybody may use has no row that all of its orders change.
    """

    read_at: datetime
    """Not stored: the database's time of the SELECT; see READ_AT."""

    name = CharField(max_length=100, help_text="For the shop")
    code = CodeField(
        max_length=32,
        null=True,
        blank=True,
        unique=True,
        validators=[is_coupon_code],
        help_text="Of a coupon: what the customer enters, exactly so. Empty: the discount is given on every order",
    )
    percent_off = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Either a percentage off each book",
    )
    amount_off = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Or an amount off the whole order, in minor units of the shop's currency",
    )
    from_quantity = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text="A percentage is given on each book of which so many copies are ordered, an amount if there is one",
    )
    valid_from = models.DateTimeField(null=True, blank=True, help_text="Empty: it is valid already")
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: it stays valid")
    max_uses = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most orders that may use the coupon. Empty: any number"
    )
    uses = models.PositiveIntegerField(
        default=0, editable=False, help_text="Orders that count as a use: those placed while there was a limit"
    )

    class Meta:
        db_table = "discounts"
        constraints = [
            models.CheckConstraint(
                condition=Q(percent_off__isnull=False, amount_off__isnull=True)
                | Q(percent_off__isnull=True, amount_off__isnull=False),
                name="discount_is_percent_or_amount",
                violation_error_message="Enter either a percentage or an amount.",
            ),
            models.CheckConstraint(
                condition=Q(percent_off__gte=0, percent_off__lte=100), name="discount_is_a_percentage"
            ),
            models.CheckConstraint(condition=Q(amount_off__gte=1), name="discount_is_an_amount"),
            models.CheckConstraint(condition=Q(from_quantity__gte=1), name="discount_from_one_copy"),
            models.CheckConstraint(
                condition=Q(valid_until__gt=F("valid_from")),
                name="discount_ends_after_it_begins",
                violation_error_message="It must end after it begins.",
            ),
            models.CheckConstraint(
                condition=Q(uses__lte=F("max_uses")),
                name="coupon_uses_within_limit",
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(name)s: %(amount)s off") % {"name": self.code or self.name, "amount": self.off}

    @property
    def off(self) -> str:
        """The percentage or the amount, for people; "nothing" in a form that is refused because it has neither."""
        if self.amount_off is not None:
            return formatted(self.amount_off)
        return gettext("nothing") if self.percent_off is None else percentage(self.percent_off)

    def clean(self) -> None:
        if self.max_uses is not None and not self.code:
            raise ValidationError({"max_uses": gettext("Only the uses of a coupon are limited.")})
        if self.max_uses is not None and self.uses > self.max_uses:
            too_few = gettext("It has %(uses)s uses already. To stop it, let it end now.")
            raise ValidationError({"max_uses": too_few % {"uses": self.uses}})

    @property
    def strategy(self) -> Strategy:
        if self.amount_off is not None:
            return AmountOff(self.amount_off, self.from_quantity)
        return PercentOff(cast(Decimal, self.percent_off), self.from_quantity)

    @property
    def refusal(self) -> CouponNotValid | None:
        """Why no order may use it now; None if one may."""
        if self.valid_from and self.read_at < self.valid_from:
            return CouponNotValid(reason="not_yet_valid", coupon=self.code, valid_from=in_utc(self.valid_from))
        if self.valid_until and self.read_at >= self.valid_until:
            return CouponNotValid(reason="expired", coupon=self.code, valid_until=in_utc(self.valid_until))
        if self.max_uses is not None and self.uses >= self.max_uses:
            return CouponNotValid(reason="used_up", coupon=self.code)
        return None


class CouponUse(models.Model):
    """An order that counts as a use of a coupon with a limit. Deleted when it is cancelled or fails."""

    order = models.OneToOneField("Order", primary_key=True, on_delete=models.CASCADE, db_constraint=False)
    coupon = models.ForeignKey(Discount, to_field="code", on_delete=models.PROTECT, related_name="coupon_uses")

    class Meta:
        db_table = "coupon_uses"

    def __str__(self) -> str:
        return gettext("%(coupon)s for %(order)s") % {"coupon": self.coupon_id, "order": shown(self.order_id)}


class Rounding(TranslatedChoices):
    """The rounding modes of Python's decimal module."""

    DOWN = "ROUND_DOWN", "down"
    HALF_UP = "ROUND_HALF_UP", "half up"
    HALF_EVEN = "ROUND_HALF_EVEN", "half to even"
    UP = "ROUND_UP", "up"


class TaxRate(models.Model):
    """The sales tax of a region from a moment on, until a later rate supersedes it."""

    region = CharField(
        max_length=2, blank=True, validators=[is_country], help_text="ISO 3166-1 alpha-2. Empty: any other region"
    )
    percent = models.DecimalField(
        max_digits=6, decimal_places=3, validators=[MinValueValidator(0), MaxValueValidator(100)]
    )
    rounding = CharField(max_length=16, choices=Rounding.choices)
    valid_from = models.DateTimeField(blank=True, help_text="Empty: from now on")

    class Meta:
        db_table = "tax_rates"
        constraints = [
            models.UniqueConstraint(fields=["region", "valid_from"], name="one_rate_at_a_time"),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="tax_is_a_percentage"),
        ]

    def __str__(self) -> str:
        return gettext("%(region)s: %(percentage)s, rounded %(rounding)s, from %(time)s") % {
            "region": self.region or gettext("other regions"),
            "percentage": percentage(self.percent),
            "rounding": Rounding(self.rounding).label,
            "time": date_format(self.valid_from.astimezone(get_current_timezone()), "DATETIME_FORMAT"),
        }

    @property
    def is_in_force(self) -> bool:
        """Returns True once it applies, or has applied: orders were placed at this rate."""
        return self.valid_from is not None and self.valid_from <= database_now()

    def clean(self) -> None:
        """A rate begins now or later: the tax of orders that are placed does not change."""
        now = database_now()
        if self.valid_from is None:
            self.valid_from = now
        elif self.valid_from < now:
            raise ValidationError({"valid_from": gettext("A rate begins now or later.")})

    @property
    def tax(self) -> Tax:
        return Tax(self.percent, self.rounding)


def in_utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def percentage(percent: Decimal) -> str:
    return f"{percent.normalize():f} %"
