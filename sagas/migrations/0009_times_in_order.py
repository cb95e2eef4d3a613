from django.db import migrations, models
from django.db.models import F, OuterRef, Subquery

import cloudmart.database.clock


def put_in_order(apps, schema_editor):
    """What finished or was delivered a moment too early, by the clocks of then, did so when it could at the earliest."""
    facts, sagas, log = (apps.get_model("sagas", name).objects for name in ("Event", "SagaInstance", "SagaStepLog"))
    facts.filter(delivered_at__lt=F("timestamp")).update(delivered_at=F("timestamp"))
    ended = Subquery(log.filter(saga=OuterRef("pk")).order_by("-seq").values("finished")[:1])
    sagas.filter(finished_at__lt=ended).update(finished_at=ended)


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0008_operator_permissions"),
    ]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="timestamp",
            field=models.DateTimeField(default=cloudmart.database.clock.DatabaseNow, editable=False),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="created_at",
            field=models.DateTimeField(default=cloudmart.database.clock.DatabaseNow, editable=False),
        ),
        migrations.RunPython(put_in_order, migrations.RunPython.noop),
    ]
