"""The admin searches payments and refunds by them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0009_fewer_indexes"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["transaction_id", "id"], name="payments_by_transaction"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["transaction_id", "id"], name="refunds_by_transaction"),
        ),
    ]
