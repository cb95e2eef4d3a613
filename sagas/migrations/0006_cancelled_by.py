from django.db import migrations

from cloudmart.database.fields import CharField


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0005_forget_payment_tokens"),
    ]

    operations = [
        migrations.AddField(
            model_name="sagainstance",
            name="cancelled_by",
            field=CharField(
                blank=True,
                help_text="Who has requested the cancellation; shown to operators only",
                max_length=150,
                null=True,
            ),
        ),
    ]
