from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0007_resume_verb"),
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
                ]
            },
        ),
    ]
