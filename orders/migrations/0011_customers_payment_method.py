"""How a customer pays by default; a guest need not have an e-mail address."""

from django.db import migrations

from cloudmart.database.fields import CharField, EmailField


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0010_search_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="payment_method",
            field=CharField(
                choices=[("credit_card", "Credit Card"), ("e_money", "E Money")],
                default="credit_card",
                help_text="Of orders that name no other",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="customer",
            name="email",
            field=EmailField(blank=True, max_length=254),
        ),
    ]
