"""The admin searches parcels by it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0008_carrier_reports"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["tracking_number"], name="shipments_by_tracking"),
        ),
    ]
