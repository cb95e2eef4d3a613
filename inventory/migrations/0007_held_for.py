from django.db import migrations

import cloudmart.database.fields


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0006_text_lengths"),
    ]

    operations = [
        migrations.AddField(
            model_name="reservation",
            name="held_for",
            field=cloudmart.database.fields.CodeField(
                blank=True,
                help_text="The customer in whose draft it is held, or was at last",
                max_length=64,
                null=True,
            ),
        ),
    ]
