from django.db import migrations, models

BEFORE_PAYMENT = ["STARTED", "ORDER_CREATED", "STOCK_RESERVED"]
BATCH = 500


def move_tokens(apps, schema_editor):
    """A pending charge takes the token of its order's saga; a saga whose charge is behind it keeps none."""
    pending = apps.get_model("payments", "Payment").objects.filter(status="pending")
    sagas = apps.get_model("sagas", "SagaInstance").objects
    orders = sagas.filter(order_id__in=pending.values("order_id"))
    for order_id, payload in orders.values_list("order_id", "payload"):
        pending.filter(order_id=order_id).update(payment_token=payload.get("payment_token", ""))
    behind = sagas.exclude(status__in=BEFORE_PAYMENT).only("payload").order_by("pk")
    changed = []
    for saga in behind.iterator(BATCH):
        if saga.payload.get("payment_token"):
            saga.payload["payment_token"] = ""
            changed.append(saga)
        if len(changed) == BATCH:
            sagas.bulk_update(changed, ["payload"])
            changed.clear()
    sagas.bulk_update(changed, ["payload"])


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0004_text_lengths"),
        ("payments", "0005_payment_token"),
    ]

    operations = [
        migrations.AlterField(
            model_name="sagainstance",
            name="payload",
            field=models.JSONField(help_text="The order's facts; its payment token only until the charge is settled"),
        ),
        migrations.RunPython(move_tokens, migrations.RunPython.noop),
    ]
