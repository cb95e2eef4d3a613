"""The carrier reports what becomes of a parcel, and is asked about those that are under way."""

from typing import Any

from django.db import migrations, models
from django.db.models import F

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField


def begin_to_poll(apps: Any, schema_editor: Any) -> None:
    """Parcels that were marked as shipped were marked when they were last written."""
    parcels = apps.get_model("shipping", "Shipment").objects
    parcels.filter(status="shipped").update(shipped_at=F("updated_at"))
    parcels.filter(status__in=["arranged", "shipped", "cancelling"]).update(next_poll_at=DatabaseNow())


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0007_fewer_indexes"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="shipment",
            options={
                "permissions": [
                    ("arrange_shipment", "Can arrange a shipment"),
                    ("cancel_shipment", "Can cancel a shipment"),
                    ("ship_shipment", "Can mark a shipment as shipped"),
                    ("deliver_shipment", "Can mark a shipment as delivered"),
                ]
            },
        ),
        migrations.AddField(
            model_name="shipment",
            name="shipped_at",
            field=models.DateTimeField(blank=True, help_text="When the carrier collected the parcel", null=True),
        ),
        migrations.AddField(
            model_name="shipment",
            name="delivered_at",
            field=models.DateTimeField(blank=True, help_text="When the customer got the parcel", null=True),
        ),
        migrations.AddField(
            model_name="shipment",
            name="next_poll_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When a worker asks the carrier next where the parcel is; null: never",
                null=True,
            ),
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
                    ("delivered", "Delivered"),
                    ("returned", "Returned"),
                    ("cancelling", "Cancelling"),
                    ("cancelled", "Cancelled"),
                ],
                default="pending",
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["next_poll_at"], name="shipments_to_poll"),
        ),
        migrations.RunPython(begin_to_poll, migrations.RunPython.noop),
    ]
