"""Texts have the same lengths on SQLite as on MySQL; a provider's name for what it did may be longer."""

from django.db import migrations

from cloudmart.database.fields import CharField, cut_texts, cut_texts_when_reverted


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0003_one_for_good"),
    ]

    operations = [
        cut_texts("payments", "payment", transaction_id=255, failure=64),
        cut_texts("payments", "refund", transaction_id=255, reason=200),
        migrations.AlterField(
            model_name="payment",
            name="failure",
            field=CharField(blank=True, help_text="The code of the provider's refusal", max_length=64),
        ),
        migrations.AlterField(
            model_name="payment",
            name="payment_method",
            field=CharField(
                blank=True, choices=[("credit_card", "Credit Card"), ("e_money", "E Money")], max_length=16
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="status",
            field=CharField(
                choices=[
                    ("pending", "Pending"),
                    ("captured", "Captured"),
                    ("declined", "Declined"),
                    ("cancelling", "Cancelling"),
                    ("cancelled", "Cancelled"),
                    ("refunding", "Refunding"),
                    ("refunded", "Refunded"),
                ],
                default="pending",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="transaction_id",
            field=CharField(blank=True, help_text="The provider's name for the charge", max_length=255),
        ),
        migrations.AlterField(
            model_name="refund",
            name="reason",
            field=CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name="refund",
            name="status",
            field=CharField(
                choices=[("pending", "Pending"), ("refunded", "Refunded")], default="pending", max_length=16
            ),
        ),
        migrations.AlterField(
            model_name="refund",
            name="transaction_id",
            field=CharField(blank=True, help_text="The provider's name for the refund", max_length=255),
        ),
        cut_texts_when_reverted("payments", "payment", transaction_id=64),
        cut_texts_when_reverted("payments", "refund", transaction_id=64),
    ]
