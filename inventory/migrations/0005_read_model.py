"""The read model; indexes that serve a book with a million holds or events; times that follow each other in the ledger."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from inventory.triggers import create_triggers, drop_triggers


def belongs_to_shelf(related_name, **options):
    return models.ForeignKey(
        db_column="book_id",
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to="inventory.inventoryrecord",
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [("inventory", "0004_references")]

    operations = [
        migrations.RunPython(drop_triggers, create_triggers, atomic=False),
        migrations.AlterField(
            model_name="stockevent",
            name="happened_at",
            field=models.DateTimeField(
                default=django.utils.timezone.now, help_text="Later than the book's event before"
            ),
        ),
        migrations.AlterField("stockevent", "shelf", belongs_to_shelf("events", db_index=False)),
        migrations.RunPython(create_triggers, drop_triggers, atomic=False),
        migrations.AddField(
            model_name="inventoryrecord",
            name="changed_at",
            field=models.DateTimeField(help_text="When its last event happened", null=True),
        ),
        migrations.RenameField("reservation", "created_at", "held_since"),
        migrations.AlterField(
            model_name="reservation",
            name="held_since",
            field=models.DateTimeField(default=django.utils.timezone.now, help_text="Without an end in between"),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(fields=["shelf", "status", "expires_at"], name="holds_of_book"),
        ),
        migrations.AlterField("reservation", "shelf", belongs_to_shelf("reservations", db_index=False)),
        migrations.DeleteModel("InventoryView"),
        migrations.CreateModel(
            name="InventoryView",
            fields=[
                (
                    "book",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="view",
                        serialize=False,
                        to="inventory.book",
                    ),
                ),
                ("on_hand", models.PositiveIntegerField(default=0)),
                ("reserved", models.PositiveIntegerField(default=0)),
                ("available", models.PositiveIntegerField(default=0)),
                ("version", models.PositiveBigIntegerField(default=0)),
                (
                    "changed_at",
                    models.DateTimeField(help_text="When the last event that it knows of happened", null=True),
                ),
            ],
            options={
                "db_table": "inventory_view",
                "indexes": [models.Index(fields=["available", "book"], name="books_by_availability")],
            },
        ),
    ]
