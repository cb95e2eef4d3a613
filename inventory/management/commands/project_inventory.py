"""Keeps the read model of the stock up to date."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cloudmart.periodic import run_until_stopped
from inventory.following import tasks
from inventory.projector import catch_up


class Command(BaseCommand):
    help = "Bring the list of books up to date with the stock ledger. Several of these may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--follow", action="store_true", help="repeat until stopped")
        parser.add_argument(
            "--interval", type=float, default=0.5, metavar="SECONDS", help="between runs with --follow (default: 0.5)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["follow"]:
            self.stdout.write("following the stock ledger", ending="\n")
            self.stdout.flush()
            run_until_stopped(*tasks(options["interval"]))
        else:
            self.stdout.write(f"{catch_up()} books brought up to date")
