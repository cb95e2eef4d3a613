"""Texts have the same lengths on SQLite as on MySQL."""

from django.db import migrations

from cloudmart.database.fields import CharField, cut_texts


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0003_operators_verbs"),
    ]

    operations = [
        cut_texts("sagas", "sagainstance", cancel_reason=200, attention=200),
        cut_texts("sagas", "sagaaction", reason=200, outcome=64),
        cut_texts("sagas", "sagasteplog", error=500),
        migrations.AlterField(
            model_name="event",
            name="event_type",
            field=CharField(max_length=64),
        ),
        migrations.AlterField(
            model_name="eventreceipt",
            name="consumer",
            field=CharField(max_length=96),
        ),
        migrations.AlterField(
            model_name="sagaaction",
            name="actor",
            field=CharField(max_length=150),
        ),
        migrations.AlterField(
            model_name="sagaaction",
            name="outcome",
            field=CharField(
                blank=True, help_text="The saga's state afterwards, or the code of its refusal", max_length=64
            ),
        ),
        migrations.AlterField(
            model_name="sagaaction",
            name="reason",
            field=CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name="sagaaction",
            name="verb",
            field=CharField(
                choices=[
                    ("cancel", "Cancel"),
                    ("retry", "Retry"),
                    ("compensate", "Compensate"),
                    ("give_up", "Give Up"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="answers_key",
            field=CharField(
                blank=True, help_text="Scope of the idempotency key whose answer is how this saga ends", max_length=64
            ),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="attention",
            field=CharField(blank=True, help_text="Why a person must look", max_length=200, null=True),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="cancel_reason",
            field=CharField(
                blank=True,
                help_text="Why a cancellation is wished; read at the next boundary",
                max_length=200,
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="current_step",
            field=CharField(
                blank=True,
                help_text="The step whose provider call is in flight, or the fact announced last",
                max_length=64,
            ),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="owner",
            field=CharField(blank=True, help_text="Who may drive the saga now", max_length=64),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="saga_type",
            field=CharField(max_length=16, verbose_name="style"),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="status",
            field=CharField(
                choices=[
                    ("STARTED", "Started"),
                    ("ORDER_CREATED", "Order Created"),
                    ("STOCK_RESERVED", "Stock Reserved"),
                    ("PAYMENT_COMPLETED", "Payment Completed"),
                    ("SHIPPING_ARRANGED", "Shipping Arranged"),
                    ("COMPLETED", "Completed"),
                    ("COMPENSATION_STARTED", "Compensation Started"),
                    ("FAILED", "Failed"),
                ],
                default="STARTED",
                max_length=24,
            ),
        ),
        migrations.AlterField(
            model_name="sagasteplog",
            name="direction",
            field=CharField(choices=[("do", "Do"), ("undo", "Undo")], max_length=4),
        ),
        migrations.AlterField(
            model_name="sagasteplog",
            name="error",
            field=CharField(blank=True, max_length=500),
        ),
        migrations.AlterField(
            model_name="sagasteplog",
            name="state",
            field=CharField(blank=True, help_text="The saga's state from this line on, if it changes", max_length=24),
        ),
        migrations.AlterField(
            model_name="sagasteplog",
            name="status",
            field=CharField(
                choices=[("started", "Started"), ("done", "Done"), ("failed", "Failed"), ("skipped", "Skipped")],
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="sagasteplog",
            name="step",
            field=CharField(max_length=64),
        ),
    ]
