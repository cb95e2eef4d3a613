from django.db import migrations

from sagas.operations.granting import grant

MODELS = ("outboxevent", "eventsequence", "outboxconsumer", "webhookendpoint", "webhookdelivery", "webhookattempt")
COMMANDS = (
    "add_webhookendpoint",
    "change_webhookendpoint",
    "delete_webhookendpoint",
    "rotate_secret",
    "send_test",
    "resend_delivery",
)


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0021_viewers_see_sub_shelves"),
        ("cloudmart", "0004_outbox"),
    ]

    operations = [
        grant(
            {
                "Viewer": [f"cloudmart.view_{model}" for model in MODELS],
                "Manager": [f"cloudmart.{command}" for command in COMMANDS],
            }
        )
    ]
