from django.db import migrations

import cloudmart.kernel.countries
from cloudmart.database.fields import CharField


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0006_strict_codes"),
    ]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="country",
            field=CharField(
                default=cloudmart.kernel.countries.home_country,
                help_text="ISO 3166-1 alpha-2; decides the tax",
                max_length=2,
                validators=[cloudmart.kernel.countries.is_country],
            ),
        ),
    ]
