"""The coupons, discounts and tax rates that the code had before, so that no price changes."""

from datetime import UTC, datetime

from django.db import migrations

DISCOUNTS = (
    {"name": "A welcome", "code": "WELCOME10", "percent_off": 10},
    {"name": "For readers", "code": "READER20", "percent_off": 20},
    {"name": "From ten copies of a book", "code": None, "percent_off": 5, "from_quantity": 10},
)
TAX_RATES = (
    {"region": "JP", "percent": 10, "rounding": "ROUND_DOWN"},
    {"region": "DE", "percent": 7, "rounding": "ROUND_HALF_UP"},
    {"region": "", "percent": 0, "rounding": "ROUND_HALF_UP"},
)
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


def add_rules(apps, schema_editor):
    discounts, rates = apps.get_model("orders", "Discount").objects, apps.get_model("orders", "TaxRate").objects
    for discount in DISCOUNTS:
        discounts.get_or_create(name=discount["name"], code=discount["code"], defaults=discount)
    for rate in TAX_RATES:
        rates.get_or_create(region=rate["region"], valid_from=ALWAYS, defaults=rate)


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0014_price_rules"),
    ]

    operations = [migrations.RunPython(add_rules, migrations.RunPython.noop)]
