"""Discounts, coupons and tax rates become rows."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import cloudmart.database.fields
import cloudmart.kernel.countries


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0013_returned"),
    ]

    operations = [
        migrations.CreateModel(
            name="Discount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", cloudmart.database.fields.CharField(help_text="For the shop", max_length=100)),
                (
                    "code",
                    cloudmart.database.fields.CodeField(
                        blank=True,
                        help_text="Of a coupon: what the customer enters, exactly so. Empty: the discount is given on every order",
                        max_length=32,
                        null=True,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z0-9_-]{1,32}\\Z", "A coupon's code has 1 to 32 of A-Z a-z 0-9 _ -"
                            )
                        ],
                    ),
                ),
                (
                    "percent_off",
                    models.DecimalField(
                        blank=True,
                        decimal_places=3,
                        help_text="Either a percentage off each book",
                        max_digits=6,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "amount_off",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="Or an amount off the whole order, in minor units of the shop's currency",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "from_quantity",
                    models.PositiveIntegerField(
                        default=1,
                        help_text="A percentage is given on each book of which so many copies are ordered, an amount if there is one",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "valid_from",
                    models.DateTimeField(blank=True, help_text="UTC. Empty: it is valid already", null=True),
                ),
                ("valid_until", models.DateTimeField(blank=True, help_text="UTC. Empty: it stays valid", null=True)),
                (
                    "max_uses",
                    models.PositiveIntegerField(
                        blank=True, help_text="The most orders that may use the coupon. Empty: any number", null=True
                    ),
                ),
                (
                    "uses",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="Orders that count as a use: those placed while there was a limit",
                    ),
                ),
            ],
            options={
                "db_table": "discounts",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("amount_off__isnull", True), ("percent_off__isnull", False)),
                            models.Q(("amount_off__isnull", False), ("percent_off__isnull", True)),
                            _connector="OR",
                        ),
                        name="discount_is_percent_or_amount",
                        violation_error_message="Enter either a percentage or an amount.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("percent_off__gte", 0), ("percent_off__lte", 100)),
                        name="discount_is_a_percentage",
                    ),
                    models.CheckConstraint(condition=models.Q(("amount_off__gte", 1)), name="discount_is_an_amount"),
                    models.CheckConstraint(
                        condition=models.Q(("from_quantity__gte", 1)), name="discount_from_one_copy"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("valid_until__gt", models.F("valid_from"))),
                        name="discount_ends_after_it_begins",
                        violation_error_message="It must end after it begins.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("uses__lte", models.F("max_uses"))),
                        name="coupon_uses_within_limit",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CouponUse",
            fields=[
                (
                    "order",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="orders.order",
                    ),
                ),
                (
                    "coupon",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="coupon_uses",
                        to="orders.discount",
                        to_field="code",
                    ),
                ),
            ],
            options={
                "db_table": "coupon_uses",
            },
        ),
        migrations.CreateModel(
            name="TaxRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "region",
                    cloudmart.database.fields.CharField(
                        blank=True,
                        help_text="ISO 3166-1 alpha-2. Empty: any other region",
                        max_length=2,
                        validators=[cloudmart.kernel.countries.is_country],
                    ),
                ),
                (
                    "percent",
                    models.DecimalField(
                        decimal_places=3,
                        max_digits=6,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "rounding",
                    cloudmart.database.fields.CharField(
                        choices=[
                            ("ROUND_DOWN", "down"),
                            ("ROUND_HALF_UP", "half up"),
                            ("ROUND_HALF_EVEN", "half to even"),
                            ("ROUND_UP", "up"),
                        ],
                        max_length=16,
                    ),
                ),
                ("valid_from", models.DateTimeField(blank=True, help_text="UTC. Empty: from now on")),
            ],
            options={
                "db_table": "tax_rates",
                "constraints": [
                    models.UniqueConstraint(fields=("region", "valid_from"), name="one_rate_at_a_time"),
                    models.CheckConstraint(
                        condition=models.Q(("percent__gte", 0), ("percent__lte", 100)), name="tax_is_a_percentage"
                    ),
                ],
            },
        ),
    ]
