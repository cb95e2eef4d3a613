"""Texts have the same lengths on SQLite as on MySQL. The ledger's triggers give way and come back."""

from django.db import migrations

from cloudmart.database.fields import CharField, cut_texts
from inventory.triggers import create_triggers, drop_triggers


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0005_read_model"),
    ]

    operations = [
        migrations.RunPython(drop_triggers, create_triggers, atomic=False),
        cut_texts("inventory", "stockevent", reason=200, actor=150),
        migrations.AlterField(
            model_name="book",
            name="title",
            field=CharField(max_length=300),
        ),
        migrations.AlterField(
            model_name="reservation",
            name="status",
            field=CharField(
                choices=[
                    ("active", "Active"),
                    ("confirmed", "Confirmed"),
                    ("released", "Released"),
                    ("expired", "Expired"),
                ],
                default="active",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="stockevent",
            name="actor",
            field=CharField(blank=True, max_length=150),
        ),
        migrations.AlterField(
            model_name="stockevent",
            name="reason",
            field=CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name="stockevent",
            name="type",
            field=CharField(
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
        migrations.RunPython(create_triggers, drop_triggers, atomic=False),
    ]
