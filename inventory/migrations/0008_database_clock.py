"""The application's default for a time is the database's clock; no column changes."""

from django.db import migrations, models

from cloudmart.database.clock import DatabaseNow


class Migration(migrations.Migration):
    dependencies = [("inventory", "0007_held_for")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="reservation",
                    name="held_since",
                    field=models.DateTimeField(default=DatabaseNow, help_text="Without an end in between"),
                ),
                migrations.AlterField(
                    model_name="stockevent",
                    name="happened_at",
                    field=models.DateTimeField(default=DatabaseNow, help_text="Later than the book's event before"),
                ),
            ]
        )
    ]
