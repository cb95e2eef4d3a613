from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0006_refunds_by_status"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="payment",
            options={
                "permissions": [
                    ("process_payment", "Can charge an order"),
                    ("cancel_payment", "Can cancel a charge that was not captured"),
                    ("refund_payment", "Can refund a payment"),
                ]
            },
        ),
    ]
