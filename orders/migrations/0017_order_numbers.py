from django.db import migrations, models
from django.db.models.functions import Cast, Right, Upper

import cloudmart.database.fields


def number_orders(apps, schema_editor):
    text = Cast("id", models.CharField(max_length=36))
    apps.get_model("orders", "Order").objects.update(number=Upper(Right(text, 8)))


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0016_order_notes"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="number",
            field=cloudmart.database.fields.CharField(
                default="", editable=False, help_text="The last eight digits of the id", max_length=8
            ),
        ),
        migrations.RunPython(number_orders, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["number"], name="orders_by_number"),
        ),
    ]
