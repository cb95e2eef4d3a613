"""Keep the read model of the stock up to date."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cloudmart.periodic import PeriodicTask, run_until_stopped
from inventory.projector import catch_up


class Command(BaseCommand):
    help = "Bring the list of books up to all that has happened to their stock. Any number of these may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--follow", action="store_true", help="go on doing so, until told to stop")
        parser.add_argument(
            "--pause", type=float, default=0.5, metavar="SECONDS", help="with --follow: between looks (default: 0.5)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["follow"]:
            self.stdout.write("following the stock ledger", ending="\n")
            self.stdout.flush()
            run_until_stopped(PeriodicTask("read model", lambda should_stop: catch_up(), options["pause"]))
        else:
            self.stdout.write(f"{catch_up()} books brought up to date")
