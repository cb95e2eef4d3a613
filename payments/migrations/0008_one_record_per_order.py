"""An order has one payment by its own id. `active_key` was a copy of that, unique in its place."""

from django.db import migrations, models

from cloudmart.database.fields import CharField, CodeField


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0007_operator_permissions"),
    ]

    operations = [
        # First the new constraint, then the column: an order that has two payments stops the migration there.
        migrations.AlterField(
            model_name="payment",
            name="order_id",
            field=models.UUIDField(unique=True),
        ),
        migrations.RemoveField(
            model_name="payment",
            name="active_key",
        ),
        migrations.AlterModelOptions(
            name="payment",
            options={
                "permissions": [
                    ("process_payment", "Can charge an order"),
                    ("cancel_payment", "Can void a charge that was not captured"),
                    ("refund_payment", "Can refund a payment"),
                ]
            },
        ),
        migrations.AlterField(
            model_name="payment",
            name="payment_token",
            field=CharField(
                blank=True,
                help_text="The provider's name for the means of payment; empty once settled",
                max_length=128,
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="refunded_amount",
            field=models.PositiveBigIntegerField(default=0, help_text="The sum of the refunds that were requested"),
        ),
        migrations.AlterField(
            model_name="refund",
            name="reference",
            field=CodeField(
                blank=True, help_text="The client's name for the refund, which is made once", max_length=64
            ),
        ),
    ]
