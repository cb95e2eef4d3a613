"""Records the mails of new events, and sends the due mails."""

from typing import Any

from django.core.management.base import BaseCommand

from sagas.desk.mails import send_mails


class Command(BaseCommand):
    help = (
        "Record the mails of events that have none yet, and try to send every mail to a customer that is due, once. "
        "The worker does this all the time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        tried = send_mails()
        self.stdout.write(f"{tried} mail{'' if tried == 1 else 's'} tried")
