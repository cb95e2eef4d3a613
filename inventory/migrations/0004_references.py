"""What happens to a stock may have a name, and then happens once. The ledger's triggers give way and come back."""

from django.db import migrations, models

import cloudmart.database.fields
from inventory.triggers import create_triggers, drop_triggers


class Migration(migrations.Migration):
    dependencies = [("inventory", "0003_codes")]

    operations = [
        migrations.RunPython(drop_triggers, create_triggers, atomic=False),
        migrations.AddField(
            model_name="stockevent",
            name="reference",
            field=cloudmart.database.fields.CodeField(
                help_text="Whoever asked has named it so; asked twice, it happens once", max_length=64, null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="stockevent",
            constraint=models.UniqueConstraint(fields=("shelf", "reference"), name="one_event_per_reference"),
        ),
        migrations.RunPython(create_triggers, drop_triggers, atomic=False),
    ]
