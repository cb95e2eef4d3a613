"""Answers are kept as they were sent: as text, and with their Location."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cloudmart", "0001_initial")]

    operations = [
        migrations.RemoveField(model_name="idempotencykey", name="body"),
        migrations.AddField(
            model_name="idempotencykey",
            name="body",
            field=models.TextField(blank=True, help_text="JSON, to be sent again as it is"),
        ),
        migrations.AddField(
            model_name="idempotencykey", name="location", field=models.CharField(blank=True, max_length=200)
        ),
        migrations.AlterField(model_name="idempotencykey", name="created_at", field=models.DateTimeField()),
    ]
