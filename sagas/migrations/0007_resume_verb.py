from django.db import migrations

from cloudmart.database.fields import CharField


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0006_cancelled_by"),
    ]

    operations = [
        migrations.AlterField(
            model_name="sagaaction",
            name="verb",
            field=CharField(
                choices=[
                    ("cancel", "Cancel"),
                    ("retry", "Retry"),
                    ("compensate", "Compensate"),
                    ("give_up", "Abandon"),
                    ("resume", "Resume"),
                ],
                max_length=10,
            ),
        ),
    ]
