from django.db import migrations

import cloudmart.kernel.countries
from cloudmart.database.fields import CharField


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0003_text_lengths"),
    ]

    operations = [
        migrations.AddField(
            model_name="shipment",
            name="country",
            field=CharField(
                default=cloudmart.kernel.countries.home_country, help_text="ISO 3166-1 alpha-2", max_length=2
            ),
        ),
    ]
