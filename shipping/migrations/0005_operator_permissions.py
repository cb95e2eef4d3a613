from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0004_countries"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="shipment",
            options={
                "permissions": [
                    ("arrange_shipment", "Can arrange a shipment"),
                    ("cancel_shipment", "Can cancel a shipment"),
                    ("ship_shipment", "Can mark a shipment as shipped"),
                ]
            },
        ),
    ]
