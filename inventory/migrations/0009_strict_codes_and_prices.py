import django.core.validators
from django.db import migrations, models

import cloudmart.database.fields

HIGHEST_PRICE = 10**10


def lower_prices(apps, schema_editor):
    """A price beyond the limit, which the admin took, can be of no book: its order's totals overflow."""
    apps.get_model("inventory", "Book").objects.filter(price__gt=HIGHEST_PRICE).update(price=HIGHEST_PRICE)


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0008_database_clock"),
    ]

    operations = [
        migrations.RunPython(lower_prices, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="book",
            name="id",
            field=cloudmart.database.fields.CodeField(
                max_length=64,
                primary_key=True,
                serialize=False,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[A-Za-z0-9._~-]{1,64}\\Z", "A code has 1 to 64 of A-Z a-z 0-9 . _ ~ -"
                    ),
                    cloudmart.database.fields.IsNot(".", "..", "reserve", "release", "extend"),
                ],
                verbose_name="code",
            ),
        ),
        migrations.AlterField(
            model_name="book",
            name="price",
            field=models.PositiveBigIntegerField(
                help_text="Minor units of the shop's currency",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(10000000000),
                ],
            ),
        ),
        migrations.AddConstraint(
            model_name="book",
            constraint=models.CheckConstraint(
                condition=models.Q(("price__lte", 10000000000)), name="book_price_has_a_limit"
            ),
        ),
    ]
