"""Deletes expired idempotency keys."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cloudmart.api.claims import purge_keys


class Command(BaseCommand):
    help = "Delete expired idempotency keys in batches. May run beside the server, and several times at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=1000, help="keys to delete in one statement (default: 1000)")

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        while deleted := purge_keys(options["batch"]):
            total += deleted
        self.stdout.write(f"{total} keys deleted")
