from django.db import migrations

from inventory.triggers import create_triggers, drop_triggers


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [migrations.RunPython(create_triggers, drop_triggers, atomic=False)]
