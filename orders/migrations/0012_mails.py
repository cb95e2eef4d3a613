"""The language of a customer, and the mails that tell customers what has become of their orders."""

import django.db.models.deletion
from django.db import migrations, models

import orders.models
from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField, CodeField
from cloudmart.kernel.ids import new_id


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0011_customers_payment_method"),
    ]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="language",
            field=CharField(
                choices=[("ja", "Japanese"), ("en", "English")],
                default=orders.models.home_language,
                help_text="Of the mails to the customer",
                max_length=2,
            ),
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("id", models.UUIDField(default=new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "outcome",
                    CharField(
                        choices=[
                            ("completed", "Completed"),
                            ("cancelled", "Cancelled"),
                            ("refunded", "Refunded"),
                            ("shipped", "Shipped"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "reference",
                    CodeField(blank=True, help_text="Of a refund: its id; one order may have several", max_length=64),
                ),
                ("data", models.JSONField(help_text="What the text is made of")),
                (
                    "status",
                    CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                            ("no_address", "No Address"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                (
                    "due_at",
                    models.DateTimeField(
                        default=DatabaseNow,
                        help_text="When a worker may try a pending mail; while one does, the end of its lease",
                    ),
                ),
                (
                    "retry_until",
                    models.DateTimeField(help_text="When it fails if the mail server has not accepted it"),
                ),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, help_text="Since it was recorded, or resent"),
                ),
                (
                    "fence",
                    models.PositiveIntegerField(default=0, help_text="How often a worker has acquired its lease"),
                ),
                (
                    "resends",
                    models.PositiveIntegerField(default=0, help_text="How often an operator has had it sent again"),
                ),
                (
                    "error",
                    CharField(blank=True, help_text="Why the last attempt failed", max_length=500),
                ),
                (
                    "recipient",
                    CharField(blank=True, help_text="To whom it was sent last", max_length=254),
                ),
                (
                    "language",
                    CharField(
                        blank=True,
                        choices=[("ja", "Japanese"), ("en", "English")],
                        help_text="In which it was sent first",
                        max_length=2,
                    ),
                ),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=DatabaseNow, editable=False)),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mails",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "db_table": "mails",
                "permissions": [("resend_mail", "Can have a mail sent again")],
                "indexes": [models.Index(fields=["status", "due_at"], name="mails_due")],
                "constraints": [
                    models.UniqueConstraint(fields=("order", "outcome", "reference"), name="one_mail_per_outcome")
                ],
            },
        ),
    ]
