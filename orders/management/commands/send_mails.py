"""Sends the due mails."""

from typing import Any

from django.core.management.base import BaseCommand

from orders.mails.sending import send_due


class Command(BaseCommand):
    help = "Try to send every mail to a customer that is due, once. The worker does this all the time."

    def handle(self, *args: Any, **options: Any) -> None:
        tried = send_due()
        self.stdout.write(f"{tried} mail{'' if tried == 1 else 's'} tried")
