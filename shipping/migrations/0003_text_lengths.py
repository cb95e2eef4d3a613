"""Texts have the same lengths on SQLite as on MySQL; a tracking number may be longer."""

from django.db import migrations

from cloudmart.database.fields import CharField, cut_texts, cut_texts_when_reverted


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0002_one_for_good"),
    ]

    operations = [
        cut_texts("shipping", "shipment", tracking_number=255, failure=64),
        migrations.AlterField(
            model_name="shipment",
            name="address",
            field=CharField(blank=True, max_length=500),
        ),
        migrations.AlterField(
            model_name="shipment",
            name="carrier",
            field=CharField(max_length=32),
        ),
        migrations.AlterField(
            model_name="shipment",
            name="failure",
            field=CharField(blank=True, help_text="The code of the carrier's refusal", max_length=64),
        ),
        migrations.AlterField(
            model_name="shipment",
            name="postal_code",
            field=CharField(blank=True, max_length=16),
        ),
        migrations.AlterField(
            model_name="shipment",
            name="status",
            field=CharField(
                choices=[
                    ("pending", "Pending"),
                    ("arranged", "Arranged"),
                    ("failed", "Failed"),
                    ("shipped", "Shipped"),
                    ("cancelling", "Cancelling"),
                    ("cancelled", "Cancelled"),
                ],
                default="pending",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="shipment",
            name="tracking_number",
            field=CharField(blank=True, max_length=255),
        ),
        cut_texts_when_reverted("shipping", "shipment", tracking_number=64),
    ]
