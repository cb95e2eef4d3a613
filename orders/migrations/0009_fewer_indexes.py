"""docs/database.md says which query needs each index that is left, and why the others are dropped."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0008_operator_permissions"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="order",
            name="orders_by_style",
        ),
        migrations.AlterField(
            model_name="order",
            name="customer",
            field=models.ForeignKey(
                db_index=False, on_delete=models.PROTECT, related_name="orders", to="orders.customer"
            ),
        ),
        migrations.AlterField(
            model_name="orderitem",
            name="order",
            field=models.ForeignKey(db_index=False, on_delete=models.CASCADE, related_name="items", to="orders.order"),
        ),
    ]
