"""The receipts of choreographed orders follow the reactions, of which some are renamed and two react to more events.

To a finished saga the added reactions have nothing to do: its events get their receipts. The events of an unfinished
one are delivered again, and the receipts exclude the reactions that have processed them.
"""

from functools import partial

from django.db import migrations

RENAMED = {
    "inventory.release_when_given_up": "inventory.release_when_order_fails",
    "orders.cancel_when_nothing_is_held": "orders.cancel_when_everything_is_returned",
    "payments.give_back_when_given_up": "payments.refund_when_nothing_is_shipped",
    "shipping.arrange_when_held_and_paid": "shipping.arrange_when_reserved_and_paid",
    "shipping.call_off_when_given_up": "shipping.cancel_when_order_fails",
}

ADDED = {
    "PaymentFailed": "shipping.cancel_when_order_fails",
    "ShippingCancelled": "payments.refund_when_nothing_is_shipped",
}
"""The reaction that is new to each event."""


def rename_receipts(apps, schema_editor, names):
    for old, new in names.items():
        apps.get_model("sagas", "EventReceipt").objects.filter(consumer=old).update(consumer=new)


def events_of(apps, finished):
    sagas = apps.get_model("sagas", "SagaInstance").objects.filter(finished_at__isnull=not finished)
    return apps.get_model("sagas", "Event").objects.filter(aggregate_id__in=sagas.values("order_id"))


def add_receipts(apps, schema_editor):
    receipt = apps.get_model("sagas", "EventReceipt")
    for event_type, consumer in ADDED.items():
        ids = events_of(apps, finished=True).filter(event_type=event_type).values_list("pk", flat=True)
        receipts = (receipt(consumer=consumer, event_id=pk) for pk in ids)
        receipt.objects.bulk_create(receipts, batch_size=1000, ignore_conflicts=True)


def deliver_again(apps, schema_editor):
    events_of(apps, finished=False).update(delivered_at=None)


class Migration(migrations.Migration):
    dependencies = [("sagas", "0011_help_texts")]

    operations = [
        migrations.RunPython(
            partial(rename_receipts, names=RENAMED),
            partial(rename_receipts, names={new: old for old, new in RENAMED.items()}),
        ),
        migrations.RunPython(add_receipts, migrations.RunPython.noop),
        migrations.RunPython(deliver_again, migrations.RunPython.noop),
    ]
