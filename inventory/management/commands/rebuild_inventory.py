"""Compares snapshots and read model with the ledger, and restores them."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Sum
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cloudmart.database.transactions import durable
from inventory.errors import UnknownBook
from inventory.models import InventoryRecord
from inventory.projector import catch_up, recount
from inventory.rebuild import Replay, replayed, restore
from inventory.selectors import find_books


class Command(BaseCommand):
    help = (
        "Replay all events of these books, or of all books, and restore their snapshots and read models. The server "
        "may keep running. Exits with 1 when --check finds a difference, or when a book cannot be restored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("books", nargs="*", metavar="BOOK", help="a book's code (default: all books)")
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--check", action="store_true", help="only report the differences")
        either.add_argument(
            "--recount", action="store_true", help="count the movements of each day again, in the shop's time zone"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        records = InventoryRecord.objects.all()
        if options["books"]:
            try:
                records = records.filter(pk__in=find_books(options["books"]))
            except UnknownBook as refusal:
                raise CommandError(f"{refusal.detail} {', '.join(refusal.details['book_ids'])}") from refusal
        columns = TextColumn("Events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("", total=records.aggregate(events=Sum("version", default=0))["events"])
            restored = [
                self.restore(replay, check=options["check"])
                for replay in replayed(records, lambda events: bar.advance(task, events))
                if replay.problems
            ]
        if not options["check"]:
            catch_up(options["books"] or None)
        if options["recount"]:
            for book_id in records.order_by("pk").values_list("pk", flat=True):
                durable(recount)(book_id)
        self.stdout.write(f"{records.count()} books replayed, {len(restored)} with differences")
        if not all(restored):
            sys.exit(1)

    def restore(self, replay: Replay, *, check: bool) -> bool:
        """Reports a book's differences, and restores it unless `check`. Returns True if it is restored."""
        for problem in replay.problems:
            self.stdout.write(f"{replay.book_id}: {problem}")
        if check or replay.fault:
            return False
        restore(replay.book_id)
        self.stdout.write(f"{replay.book_id}: restored")
        return True
