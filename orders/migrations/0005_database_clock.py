"""The application's default for a time is the database's clock; no column changes."""

from django.db import migrations, models

from cloudmart.database.clock import DatabaseNow


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_text_lengths")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="order",
                    name="created_at",
                    field=models.DateTimeField(default=DatabaseNow, editable=False),
                ),
            ]
        )
    ]
