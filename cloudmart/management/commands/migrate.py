"""Django's migrate, without the time limit of a request's statements."""

from typing import Any

from django.core.management.commands import migrate

from cloudmart.database.options import unlimited_statement_time


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with unlimited_statement_time():
            super().handle(*args, **options)
