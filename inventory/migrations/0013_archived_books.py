"""Books that are no longer sold."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0012_search_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="book",
            name="archived",
            field=models.BooleanField(default=False, help_text="No longer sold; orders and histories keep it"),
        ),
        migrations.AddIndex(
            model_name="book",
            index=models.Index(fields=["archived", "id"], name="books_archived"),
        ),
    ]
