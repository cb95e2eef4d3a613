"""docs/database.md says which query needs each index that is left, and why the others are dropped."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0012_receipts_of_renamed_reactions"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="sagainstance",
            name="sagas_leased",
        ),
        migrations.RemoveIndex(
            model_name="event",
            name="events_undelivered",
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["delivered_at"], name="events_undelivered"),
        ),
        migrations.AlterField(
            model_name="sagasteplog",
            name="saga",
            field=models.ForeignKey(
                db_index=False, on_delete=models.CASCADE, related_name="log", to="sagas.sagainstance"
            ),
        ),
        # The same constraint with its columns the other way round, which is the index of the foreign key too.
        migrations.RemoveConstraint(
            model_name="eventreceipt",
            name="one_receipt_per_consumer",
        ),
        migrations.AddConstraint(
            model_name="eventreceipt",
            constraint=models.UniqueConstraint(fields=["event", "consumer"], name="one_receipt_per_consumer"),
        ),
        migrations.AlterField(
            model_name="eventreceipt",
            name="event",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=models.CASCADE,
                related_name="receipts",
                to="sagas.event",
            ),
        ),
    ]
