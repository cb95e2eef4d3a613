"""Sub-shelves of hot books. The foreign key of reservations has no constraint, so that its INSERT locks no book."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.exceptions import IrreversibleError

import cloudmart.database.fields


def refuse_pending_events(apps, schema_editor):
    """Earlier versions do not know these events."""
    if apps.get_model("inventory", "PendingEvent").objects.exists():
        raise IrreversibleError(
            "There are pending events. Run `manage.py split_book BOOK --shards 1` for split books."
        )


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0014_stock_movements"),
    ]

    operations = [
        migrations.AddField(
            model_name="inventoryrecord",
            name="shards",
            field=models.PositiveSmallIntegerField(
                db_default=1, default=1, help_text="Sub-shelves; 1: the book is not split"
            ),
        ),
        migrations.AlterField(
            model_name="reservation",
            name="shelf",
            field=models.ForeignKey(
                db_column="book_id",
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reservations",
                to="inventory.inventoryrecord",
            ),
        ),
        migrations.CreateModel(
            name="PendingEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "type",
                    cloudmart.database.fields.CharField(
                        choices=[
                            ("StockAdded", "StockAdded"),
                            ("StockReserved", "StockReserved"),
                            ("ReservationConfirmed", "ReservationConfirmed"),
                            ("ReservationCancelled", "ReservationCancelled"),
                            ("ReservationExpired", "ReservationExpired"),
                            ("StockReturned", "StockReturned"),
                            ("StockAdjusted", "StockAdjusted"),
                        ],
                        max_length=32,
                    ),
                ),
                ("on_hand_delta", models.IntegerField()),
                ("reserved_delta", models.IntegerField()),
                ("reservation_id", models.UUIDField()),
                ("order_id", models.UUIDField(db_index=True)),
                ("reason", cloudmart.database.fields.CharField(blank=True, max_length=200)),
                ("actor", cloudmart.database.fields.CharField(blank=True, max_length=150)),
                ("happened_at", models.DateTimeField(help_text="Later than the sub-shelf's previous event")),
                (
                    "shelf",
                    models.ForeignKey(
                        db_column="book_id",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pending_events",
                        to="inventory.inventoryrecord",
                    ),
                ),
            ],
            options={
                "db_table": "pending_stock_events",
                "indexes": [models.Index(fields=["shelf", "happened_at"], name="pending_events_by_time")],
            },
        ),
        migrations.CreateModel(
            name="SubShelf",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("on_hand", models.PositiveIntegerField(default=0)),
                ("reserved", models.PositiveIntegerField(default=0)),
                ("changed_at", models.DateTimeField(help_text="Time of the last event", null=True)),
                (
                    "shelf",
                    models.ForeignKey(
                        db_column="book_id",
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sub_shelves",
                        to="inventory.inventoryrecord",
                    ),
                ),
            ],
            options={
                "verbose_name": "sub-shelf",
                "verbose_name_plural": "sub-shelves",
                "db_table": "sub_shelves",
                "constraints": [
                    models.UniqueConstraint(fields=("shelf", "number"), name="one_sub_shelf_per_number"),
                    models.CheckConstraint(
                        condition=models.Q(("reserved__lte", models.F("on_hand"))), name="reserved_is_on_sub_shelf"
                    ),
                ],
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, refuse_pending_events),
    ]
