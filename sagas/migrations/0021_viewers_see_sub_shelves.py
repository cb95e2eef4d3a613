from django.db import migrations

from sagas.operations.granting import grant


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0020_traceparent"),
        ("inventory", "0015_sub_shelves"),
    ]

    operations = [grant({"Viewer": ("inventory.view_subshelf", "inventory.view_pendingevent")})]
