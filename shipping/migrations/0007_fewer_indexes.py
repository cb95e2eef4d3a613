"""docs/database.md says which query needs each index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0006_one_record_per_order"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="shipment",
            name="shipments_by_status",
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["status", "updated_at"], name="shipments_by_status"),
        ),
    ]
