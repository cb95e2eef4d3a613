"""Django's migrate, without the time limit of a request's statements."""

from typing import Any

from django.core.management.commands import migrate

from cloudmart.databases import patience


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with patience():
            super().handle(*args, **options)
