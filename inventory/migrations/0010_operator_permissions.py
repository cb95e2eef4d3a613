from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0009_strict_codes_and_prices"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="inventoryrecord",
            options={
                "permissions": [
                    ("reserve_stock", "Can reserve stock for an order"),
                    ("release_stock", "Can release the stock that an order holds"),
                    ("extend_holds", "Can extend the holds of an order"),
                    ("add_stock", "Can add stock"),
                    ("adjust_stock", "Can adjust stock"),
                ]
            },
        ),
    ]
