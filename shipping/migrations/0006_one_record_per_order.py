"""An order has one parcel by its own id. `active_key` was a copy of that, unique in its place."""

from django.db import migrations, models

from cloudmart.database.fields import CharField


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0005_operator_permissions"),
    ]

    operations = [
        # First the new constraint, then the column: an order that has two parcels stops the migration there.
        migrations.AlterField(
            model_name="shipment",
            name="order_id",
            field=models.UUIDField(unique=True),
        ),
        migrations.RemoveField(
            model_name="shipment",
            name="active_key",
        ),
        migrations.AlterField(
            model_name="shipment",
            name="failure",
            field=CharField(blank=True, help_text="The code of the provider's refusal", max_length=64),
        ),
    ]
