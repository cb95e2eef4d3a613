"""Texts have the same lengths on SQLite as on MySQL."""

from django.db import migrations

from cloudmart.database.fields import CharField, EmailField, cut_texts


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0003_item_order"),
    ]

    operations = [
        cut_texts("orders", "order", cancel_reason=200),
        migrations.AlterField(
            model_name="customer",
            name="address",
            field=CharField(blank=True, max_length=500),
        ),
        migrations.AlterField(
            model_name="customer",
            name="email",
            field=EmailField(max_length=254),
        ),
        migrations.AlterField(
            model_name="customer",
            name="name",
            field=CharField(max_length=200),
        ),
        migrations.AlterField(
            model_name="customer",
            name="postal_code",
            field=CharField(blank=True, max_length=16),
        ),
        migrations.AlterField(
            model_name="order",
            name="address",
            field=CharField(blank=True, max_length=500),
        ),
        migrations.AlterField(
            model_name="order",
            name="cancel_reason",
            field=CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name="order",
            name="payment_method",
            field=CharField(
                blank=True, choices=[("credit_card", "Credit Card"), ("e_money", "E Money")], max_length=16
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="postal_code",
            field=CharField(blank=True, max_length=16),
        ),
        migrations.AlterField(
            model_name="order",
            name="region",
            field=CharField(blank=True, max_length=8),
        ),
        migrations.AlterField(
            model_name="order",
            name="saga_style",
            field=CharField(
                blank=True,
                choices=[("orchestration", "Orchestration"), ("choreography", "Choreography")],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="status",
            field=CharField(
                choices=[
                    ("draft", "Draft"),
                    ("pending", "Pending"),
                    ("completed", "Completed"),
                    ("cancelled", "Cancelled"),
                ],
                default="pending",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="orderitem",
            name="title",
            field=CharField(max_length=300),
        ),
    ]
