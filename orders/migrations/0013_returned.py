from django.db import migrations

from cloudmart.database.fields import CharField


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0012_mails"),
    ]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="cancel_reason",
            field=CharField(blank=True, help_text="Why it was cancelled, or returned", max_length=200),
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
                    ("returned", "Returned"),
                ],
                default="pending",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="mail",
            name="outcome",
            field=CharField(
                choices=[
                    ("completed", "Completed"),
                    ("cancelled", "Cancelled"),
                    ("refunded", "Refunded"),
                    ("shipped", "Shipped"),
                    ("returned", "Returned"),
                ],
                max_length=16,
            ),
        ),
    ]
