from django.db import migrations, models

REASON = {"max_length": 200, "null": True, "blank": True}


def rename_command(old, new):
    def rename(apps, schema_editor):
        apps.get_model("sagas", "SagaAction").objects.filter(command=old).update(command=new)

    return rename


class Migration(migrations.Migration):
    dependencies = [("sagas", "0009_times_in_order")]

    operations = [
        migrations.RemoveConstraint(model_name="sagainstance", name="given_up_with_a_reason"),
        migrations.RenameField(model_name="sagainstance", old_name="given_up_at", new_name="abandoned_at"),
        migrations.AddConstraint(
            model_name="sagainstance",
            constraint=models.CheckConstraint(
                condition=models.Q(abandoned_at=None) | models.Q(attention__isnull=False),
                name="abandoned_with_a_reason",
            ),
        ),
        migrations.RenameField(model_name="sagainstance", old_name="answers_key", new_name="idempotency_scope"),
        migrations.RenameField(model_name="sagaaction", old_name="verb", new_name="command"),
        migrations.RunPython(rename_command("give_up", "abandon"), rename_command("abandon", "give_up")),
        migrations.RemoveField(model_name="sagasteplog", name="detail"),
        migrations.RenameIndex(model_name="event", old_name="facts_undelivered", new_name="events_undelivered"),
        migrations.RemoveConstraint(model_name="event", name="one_fact_per_seq"),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.UniqueConstraint(fields=["aggregate_id", "seq"], name="one_event_per_seq"),
        ),
        migrations.RemoveConstraint(model_name="eventreceipt", name="heard_once"),
        migrations.AddConstraint(
            model_name="eventreceipt",
            constraint=models.UniqueConstraint(fields=["consumer", "event"], name="one_receipt_per_consumer"),
        ),
    ]
