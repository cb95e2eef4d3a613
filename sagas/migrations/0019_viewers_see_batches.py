from django.db import migrations

from sagas.operations.granting import grant


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0018_batches"),
    ]

    operations = [
        grant({"Viewer": ["sagas.view_batch", "sagas.view_batchitem"]}),
    ]
