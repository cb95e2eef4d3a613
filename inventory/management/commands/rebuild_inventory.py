"""Hold snapshots and read model against the ledger."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Sum
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inventory.errors import UnknownBook
from inventory.models import InventoryRecord
from inventory.projector import catch_up
from inventory.rebuild import Replay, replayed, restore
from inventory.selectors import find_books


class Command(BaseCommand):
    help = (
        "Replay every event of these books, or of all, and restore what snapshot and read model should be. The server "
        "may run meanwhile. Exits with 1 when there was something to restore under --check, or that cannot be."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("books", nargs="*", metavar="BOOK", help="a book's code (default: all books)")
        parser.add_argument("--check", action="store_true", help="only name the differences")

    def handle(self, *args: Any, **options: Any) -> None:
        shelves = InventoryRecord.objects.all()
        if options["books"]:
            try:
                shelves = shelves.filter(pk__in=find_books(options["books"]))
            except UnknownBook as refusal:
                raise CommandError(f"{refusal.detail} {', '.join(refusal.details['book_ids'])}") from refusal
        columns = TextColumn("Events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("", total=shelves.aggregate(events=Sum("version", default=0))["events"])
            settled = [
                self.settle(replay, check=options["check"])
                for replay in replayed(shelves, lambda events: bar.advance(task, events))
                if replay.problems
            ]
        if not options["check"]:
            catch_up(options["books"] or None)
        self.stdout.write(f"{shelves.count()} books replayed, {len(settled)} with differences")
        if not all(settled):
            sys.exit(1)

    def settle(self, replay: Replay, *, check: bool) -> bool:
        """Name what is wrong with a book, and restore it if that is wished; whether all is well then."""
        for problem in replay.problems:
            self.stdout.write(f"{replay.book_id}: {problem}")
        if check or replay.fault:
            return False
        restore(replay.book_id)
        self.stdout.write(f"{replay.book_id}: restored")
        return True
