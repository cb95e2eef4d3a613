from django.db import migrations

import cloudmart.database.fields


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0019_failed_runs"),
    ]

    operations = [
        migrations.AddField(
            model_name="sagainstance",
            name="traceparent",
            field=cloudmart.database.fields.CharField(
                blank=True,
                help_text="The span of its first driver, whose trace later drivers continue; empty if traces are off",
                max_length=55,
                null=True,
            ),
        ),
    ]
