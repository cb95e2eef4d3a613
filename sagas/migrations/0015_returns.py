from django.db import migrations

from cloudmart.database.fields import CharField


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0014_step_log_detail"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="sagainstance",
            options={
                "permissions": [
                    ("cancel_saga", "Can cancel an order"),
                    ("retry_saga", "Can retry a waiting saga"),
                    ("compensate_saga", "Can compensate a saga"),
                    ("abandon_saga", "Can abandon a saga"),
                    ("resume_saga", "Can resume an abandoned saga"),
                    ("return_order", "Can return a delivered order"),
                ]
            },
        ),
        migrations.AlterField(
            model_name="sagaaction",
            name="command",
            field=CharField(
                choices=[
                    ("cancel", "Cancel"),
                    ("retry", "Retry"),
                    ("compensate", "Compensate"),
                    ("abandon", "Abandon"),
                    ("resume", "Resume"),
                    ("return", "Return"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="sagainstance",
            name="cancelled_by",
            field=CharField(
                blank=True,
                help_text="Who requested the cancellation or the return; shown to operators only",
                max_length=150,
                null=True,
            ),
        ),
    ]
