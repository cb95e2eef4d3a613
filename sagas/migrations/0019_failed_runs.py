from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0018_batches"),
    ]

    operations = [
        migrations.AlterField(
            model_name="sagainstance",
            name="attempts",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Failed runs at the step in flight: a run calls the provider up to PROVIDER_TRIES times",
            ),
        ),
    ]
