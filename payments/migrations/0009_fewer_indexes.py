"""docs/database.md says which query needs each index that is left, and why the others are dropped."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0008_one_record_per_order"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="payment",
            name="payments_by_status",
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["status", "updated_at"], name="payments_by_status"),
        ),
        migrations.AlterField(
            model_name="refund",
            name="payment",
            field=models.ForeignKey(
                db_index=False, on_delete=models.PROTECT, related_name="refunds", to="payments.payment"
            ),
        ),
    ]
