"""Texts have the same lengths on SQLite as on MySQL."""

from django.db import migrations

from cloudmart.database.fields import CharField


class Migration(migrations.Migration):
    dependencies = [
        ("cloudmart", "0002_idempotency"),
    ]

    operations = [
        migrations.AlterField(
            model_name="idempotencykey",
            name="fingerprint",
            field=CharField(help_text="SHA-256 over method, path and canonical body, in hex", max_length=64),
        ),
        migrations.AlterField(
            model_name="idempotencykey",
            name="location",
            field=CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name="idempotencykey",
            name="scope",
            field=CharField(help_text="SHA-256 over principal and key, in hex", max_length=64, unique=True),
        ),
    ]
