from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0007_countries"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="order",
            options={
                "permissions": [
                    ("place_order_for_others", "Can place an order, or change a draft, for another customer")
                ]
            },
        ),
    ]
