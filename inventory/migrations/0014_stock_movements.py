"""What moves of a book in a day; `reports` is a path below /inventory, and so no book code.

The worker's first run counts all events again: it takes every row of the read model for one before its first event.
"""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import cloudmart.database.fields


def project_again(apps, schema_editor):
    apps.get_model("inventory", "InventoryView").objects.update(version=0)


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0013_archived_books"),
    ]

    operations = [
        migrations.AlterField(
            model_name="book",
            name="id",
            field=cloudmart.database.fields.CodeField(
                max_length=64,
                primary_key=True,
                serialize=False,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[A-Za-z0-9._~-]{1,64}\\Z", "A code has 1 to 64 of A-Z a-z 0-9 . _ ~ -"
                    ),
                    cloudmart.database.fields.IsNot(".", "..", "reserve", "release", "extend", "reports"),
                ],
                verbose_name="code",
            ),
        ),
        migrations.CreateModel(
            name="StockMovement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(help_text="In the time zone of the shop")),
                ("added", models.BigIntegerField(default=0)),
                ("sold", models.BigIntegerField(default=0)),
                ("returned", models.BigIntegerField(default=0)),
                ("adjusted", models.BigIntegerField(default=0)),
                ("reserved", models.BigIntegerField(default=0)),
                ("released", models.BigIntegerField(default=0)),
                ("expired", models.BigIntegerField(default=0)),
                (
                    "book",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="movements",
                        to="inventory.book",
                    ),
                ),
            ],
            options={
                "db_table": "stock_movements",
                "constraints": [
                    models.UniqueConstraint(fields=("day", "book"), name="one_row_per_day_and_book"),
                ],
                "indexes": [
                    models.Index(fields=["book", "day"], name="movements_of_book"),
                ],
            },
        ),
        migrations.RunPython(project_again, migrations.RunPython.noop),
    ]
