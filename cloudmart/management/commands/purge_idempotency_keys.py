"""Forget the idempotency keys whose time is over."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cloudmart.api.idempotency import purge_keys


class Command(BaseCommand):
    help = "Delete expired idempotency keys, a batch at a time. It may run beside the server, and twice at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=1000, help="keys deleted in one statement (default: 1000)")

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        while deleted := purge_keys(options["batch"]):
            total += deleted
        self.stdout.write(f"{total} keys deleted")
