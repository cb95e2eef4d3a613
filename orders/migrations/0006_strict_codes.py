import django.core.validators
from django.db import migrations

import cloudmart.database.fields


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_database_clock"),
    ]

    operations = [
        migrations.AlterField(
            model_name="customer",
            name="id",
            field=cloudmart.database.fields.CodeField(
                max_length=64,
                primary_key=True,
                serialize=False,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[A-Za-z0-9._~-]{1,64}\\Z", "A code has 1 to 64 of A-Z a-z 0-9 . _ ~ -"
                    ),
                    cloudmart.database.fields.IsNot(".", ".."),
                ],
                verbose_name="code",
            ),
        ),
    ]
